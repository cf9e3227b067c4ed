"""Measure how fast answers are read: ordinary responses in MB/s, hostile ones in milliseconds.

Run from the checkout: python benchmarks/answers.py [--size CHARACTERS] [--repeat TIMES]
"""

import argparse
import time
from collections.abc import Callable

from geostore.answers import has_answer, parse_answer
from geostore.conversation.interim import read_interim

ORDINARY = (
    "The signs are in French and the houses have zinc roofs, so this is France. The Haussmann "
    "facades along a wide boulevard speak for Paris, about 2 km north of the river.\n\n"
    "**Latitude:** 48.8566° N\n**Longitude:** 2.3522° E\n\n"
    "<answer>\\boxed{48.8566, 2.3522}</answer>"
)

STATING = (
    "The signs are in French and the houses have zinc roofs.\n\n"
    "**Country:** France\n**Region:** Île-de-France\n**City:** Paris\n**Confidence:** 85%\n\n"
    "<answer>\\boxed{48.8566, 2.3522}</answer>"
)
"""An answer that says its place in words and how sure it is."""

REFUSING = (
    "This photo shows a street with parked cars and a row of trees, and nothing is written on the "
    "buildings.\n\nI'm sorry, but I can't determine where it was taken. If you can share more "
    "about it, I'd be happy to help."
)

FAILING = (
    "The road markings are yellow – the poles are of concrete, and the shop front is not in Latin "
    "letters. The vegetation is dry and the sun stands in the north. It is a dry place – no more."
)
"""No coordinates and no refusal, with marks that are not ASCII and a "not"."""

ZOOMING = (
    "The sign is too small to read, so I look at it more closely before I say 1 or 2 places.\n"
    '<tool_call>\n{"name": "image_zoom_in_tool", "arguments": {"bbox_2d": [120, 40, 360, 200]}}\n'
    "</tool_call>"
)

HOSTILE_UNITS = (
    "a",
    "9",
    "1 ",
    "1, ",
    "1,1 ",
    "1.5,",
    "1.5 N ",
    "1.5°N 1.5°E ",
    "1.5°N, ",
    "N 1.5 ",
    "48°51'24\"",
    "1.5°N1",
    "S",
    "N ",
    "-",
    "- ",
    "-1",
    " ",
    "\n",
    " \n",
    "\t \n",
    "\u00a0",
    "'",
    '"',
    '""',
    "\\",
    "\\\\",
    '\\"',
    "{",
    "}",
    "{}",
    "(",
    ")",
    "(1.5, ",
    "(1.5, 1.5) ",
    "(1.5, 1.5",
    "[",
    "$",
    "*",
    "^\\circ",
    "^{\\circ",
    "\\text{",
    "\\text{a}",
    "\\boxed",
    "\\boxed{",
    "\\boxed{}",
    "\\boxed{a}",
    "\\boxed{1}",
    "\\boxed{lat, lon}",
    "\\boxed {1.5, 200}",
    "\\boxed{1.5, 2.5, ",
    "boxed{",
    "<think>",
    "</think>",
    "<think></think>",
    "</think><think>",
    "<think>a</think>b",
    "<thinking>",
    "</thinking>",
    "<thinking>a</thinking>b",
    "<thinking></think>",
    "[THINK]<thinking>",
    "◁think▷",
    "◁/think▷",
    "<|channel|>analysis<|message|>",
    "<|channel|>analysis<|message|>a<|end|>",
    "<|channel|>final<|message|>",
    "<|channel",
    "Here is my thought process:",
    "Coordinates: ",
    "Coordinates: 1.5, 2.5, ",
    "<|begin_of_box|>",
    "<|end_of_box|>",
    "<|begin_of_box|>1.5, 2.5<|end_of_box|>",
    "<|begin_of_box|>{",
    "(1.5, 2.5, 3) ",
    "(1.5, 2.5) lat: 3-4 lon: 5-6 ",
    '"lat": 1-2, "lon": 3-4 ',
    "<answer>",
    "</answer>",
    "<answer></answer>",
    "<answer>a</answer>",
    "<answer>lat</answer>",
    "<answer>1.5, 2.5, a</answer>",
    "<answer><think>",
    '"lat":',
    '"lat":"',
    '"lat":1 ',
    '"lat":1,"lon":2,',
    '{"lat": 1, "lon": 200}',
    '"lat": <',
    "lat",
    "lat ",
    "lat:",
    "lat: 1.5 ",
    "lat: 1.5 lon: 200 ",
    "lat, lon",
    "lat, lon: ",
    "lat lon -- ",
    "lat: is is is ",
    "lat (a) ",
    "latitude: unknown ",
    "纬度",
    "北纬",
    "北纬1.5 东经2 ",
    "１",
    "٣",
    "。",
    "I can't ",
    "I can't determine the ",
    "cannot be the location of no place ",
    "kann den Ort nicht ",
    "no puedo dar ",
    "无法确定",
    "場所を特定",
    "не могу указать ",
    "but it may be in ",
    "Country: France, ",
    "City: Lyon\n",
    "City: Lyon (",
    "| Country | x ",
    "Location: near A, B, ",
    "confidence: 85% ",
    '{"country": ',
    '{"rank": 1, "lat": 1} ',
    '{"rank": 1, ',
    '{"rank": 1, "lat": 1}, {"rank": 2, "lat": 1} ',
    '"rank": 1 ',
    "1. (1.5, 2.5) 2. (1.5, 3.5) ",
    '"city": "a", ',
    "<city>a</city>",
    "A, B, France\n",
    "France; ",
    "国家：中国",
    "中国云南省",
    "placeholder",
    "# placeholder (1.5, 1.5) ",
    "(1.5, 1.5) # placeholder\n",
    "unknown ",
    "north ",
    "latitude south ",
    "is:",
    "<tool_call>",
    "<tool_call>{",
    "<tool_call>{<answer>",
    "<tool_call>{</tool_call>",
    '"input": {',
    '"arguments": "{',
    '{"name": "a", "arguments": {',
    "<arg_key>",
    "functools[",
    "[TOOL_CALLS]a{}",
    "[TOOL_CALLS]a{}a{",
    "Action Input: {",
    "<tool>a</tool><args>",
    "\u200b",
    "😀",
)


def hostile_responses(size: int) -> dict[str, str]:
    """Responses of `size` characters by name: each unit repeated, alone and inside each slot."""
    wrappers: dict[str, tuple[str, str]] = {
        "": ("", ""),
        "in a box: ": ("\\boxed{", "}"),
        "in an open box: ": ("\\boxed{", ""),
        "in an answer: ": ("<answer>", "</answer>"),
        "in an open answer: ": ("<answer>", ""),
        "after a bad box: ": ("\\boxed{95, 20}", ""),
        "after a good box: ": ("\\boxed{45, 20}", ""),
        "non-ASCII: ": ("é纬", "度°"),
    }
    return {
        f"{name}{unit!r}": head + (unit * (size // len(unit) + 1))[:size] + last
        for name, (head, last) in wrappers.items()
        for unit in HOSTILE_UNITS
    }


def best_seconds(read: Callable[[str], object], response: str, *, repeat: int) -> float:
    """The shortest of `repeat` timings, in seconds."""
    timings = []
    for _ in range(repeat):
        started = time.perf_counter()
        read(response)
        timings.append(time.perf_counter() - started)
    return min(timings)


def _read_earlier(response: str) -> object:
    return read_interim(response, cut=False, bare=False)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", type=int, default=1_000_000, help="characters per response")
    parser.add_argument("--repeat", type=int, default=3, help="timings per response")
    options = parser.parse_args()

    assert parse_answer(ORDINARY).failure is None
    seconds = best_seconds(parse_answer, ORDINARY, repeat=2_000)
    print(f"ordinary: {seconds * 1e6:.0f} us per response of {len(ORDINARY)} characters")
    assert parse_answer(STATING).stated.city == "Paris"
    seconds = best_seconds(parse_answer, STATING, repeat=2_000)
    print(
        f"with a place in words: {seconds * 1e6:.0f} us per response of {len(STATING)} characters"
    )
    assert parse_answer(REFUSING).failure == "refused"
    seconds = best_seconds(parse_answer, REFUSING, repeat=2_000)
    print(f"refusing: {seconds * 1e6:.0f} us per response of {len(REFUSING)} characters")
    assert parse_answer(FAILING).failure == "no_coordinates"
    seconds = best_seconds(parse_answer, FAILING, repeat=2_000)
    print(f"failing: {seconds * 1e6:.0f} us per response of {len(FAILING)} characters")
    seconds = best_seconds(_read_earlier, ZOOMING, repeat=2_000)
    print(f"an earlier turn: {seconds * 1e6:.0f} us per response of {len(ZOOMING)} characters")
    thoughtful = "<think>" + "So it may be 48.8, 2.3. " * 40_000 + "</think>" + ORDINARY
    seconds = best_seconds(parse_answer, thoughtful, repeat=options.repeat)
    print(f"long thoughts: {len(thoughtful) / seconds / 1e6:.0f} MB/s")

    timed = sorted(
        (
            (best_seconds(read, response, repeat=options.repeat), f"{read.__name__}: {name}")
            for name, response in hostile_responses(options.size).items()
            for read in (parse_answer, has_answer)
        ),
        reverse=True,
    )
    print(f"hostile: {len(timed)} cases of {options.size} characters; the worst, in ms:")
    for seconds, name in timed[:12]:
        print(f"{seconds * 1e3:8.1f}  {name}")


if __name__ == "__main__":
    main()
