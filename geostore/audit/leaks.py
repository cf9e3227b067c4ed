"""Finds the truth in what was sent to the teacher: coordinates, place names, file names.

The observations of tools are read, and the recipe's prompts where the recipe was
asked of one photo only: a prompt that goes with every photo tells nothing about
this one. An observation may repeat what the teacher had written before; that is
no leak. Every search is linear in the text.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache, partial

import orjson

from geostore.audit.audited_text import AuditedText
from geostore.identity import canonical_text
from geostore.records import ImportedRecipe, Recipe, Sample, Turn

Finder = Callable[[str], str | None]
"""From a text to the words in it that give something away; None where there are none."""

_NEAR = 24  # characters between two numbers of one or two decimals that make a pair
_SURE_DECIMALS = 3  # from here on the numbers need not stand side by side
_NUMBER = re.compile(r"(?<![\d.])\d{1,3}\.(\d{1,15})(?!\d|\.\d)")
# Boxes that an observation names are the teacher's, clamped and rounded.
_BRACKETS = re.compile(r"\[[^\[\]]{0,200}\]")
_FOUR_NUMBERS = re.compile(r"\[\s*[-+\d.eE]+(?:\s*,\s*[-+\d.eE]+){3}\s*\]")

PLACE_COLUMNS = frozenset(
    {
        "city",
        "town",
        "village",
        "municipality",
        "county",
        "state",
        "province",
        "region",
        "sub-region",
        "sub_region",
        "suburb",
        "neighbourhood",
        "neighborhood",
        "road",
        "street",
        "address",
        "place",
        "landmark",
    }
)
"""Columns of a sample, in lower case, whose text names its place; its country is one besides."""

_NO_PLACE = frozenset({"unknown", "none", "null", "nan", "n/a", "other"})
_WORDS_OF_TOOLS = """
    a across again all and angle another are argument arguments as asked at be before box
    brightness by call calls can changes clockwise closer contrast counter-clockwise cut degrees
    differs does down edge empty exist factor failed finite for four from gave give given image
    images img_idx in inside into is it its json label least leaves left less lies list little
    longer look looks may mean missing most must name names nearly new no not nothing now number
    numbers object of off on one only or out outside past photo pixels positive reached run same
    scale see shorter shows side sides small so such takes text than that the them there thin
    this times to too tool tool_call try turn turned turns twice valid value was where whole with
    without write x y you zoom
"""
OWN_WORDS = frozenset(_WORDS_OF_TOOLS.split())
"""Words that the tools use of any photo. A place whose name is made of them is not looked for."""

_IMAGE_FILE = re.compile(r"\.(?:jpe?g|png|webp|tiff?|bmp|gif|heic|avif)\Z", re.IGNORECASE)
_LEAST_NAME = 3  # characters of a place that is written with letters that have cases
_LEAST_STEM = 5


def leaked_coordinates(audited: AuditedText) -> str | None:
    """The truth's latitude and longitude, rounded or cut to one decimal or more.

    Three decimals and more count in any order and place of one text, fewer only
    side by side and latitude first. Signs are not compared.
    """
    sample = audited.trace.sample
    return _first_leak(audited, [lambda text: coordinates_in(text, sample.lat, sample.lon)])


def leaked_place(audited: AuditedText) -> str | None:
    """The sample's country, or the text of a column that names its place, as words of their own."""
    names = place_names(audited.trace.sample)
    return _first_leak(audited, [partial(name_in, name=name) for name in names])


def leaked_file_name(audited: AuditedText) -> str | None:
    """The name of an image file in one of the sample's columns, or the dataset's path."""
    names = file_names(audited.trace.sample)
    path = audited.trace.dataset_path
    if path.count("/") > 1:
        names = (*names, path)
    return _first_leak(audited, [partial(file_name_in, name=name) for name in names])


# --- where ----------------------------------------------------------------------------------


def _first_leak(audited: AuditedText, finders: Sequence[Finder]) -> str | None:
    """The first leak that one of the finders finds and the teacher had not written before."""
    for find in finders:
        for turn, where, text in _sent(audited):
            leak = find(text)
            if leak is None:
                continue
            if turn and find(audited.words_until(turn)) is not None:
                break  # written before this turn, and so before every later one
            return f"{where}: {leak}"
    return None


def _sent(audited: AuditedText) -> Iterator[tuple[int, str, str]]:
    """Turn after which it was sent (0: before the first), where it stands, and the text."""
    recipe, prompts_read = audited.trace.recipe, audited.trace.prompts_read
    if isinstance(recipe, ImportedRecipe):
        if prompts_read and recipe.system_prompt is not None:
            yield 0, "prompt", recipe.system_prompt
        for turn in audited.turns:
            for text in _sent_texts(turn, prompt=prompts_read):
                yield turn.turn - 1, f"request of turn {turn.turn}", text
        return
    if prompts_read:
        yield 0, "prompt", _prompts(recipe)
    for call in audited.calls:
        if call.observation is not None:
            yield call.turn, f"observation of turn {call.turn}", call.observation


def _sent_texts(turn: Turn, *, prompt: bool) -> Iterator[str]:
    """The texts of an imported turn's request that are not the teacher's own.

    prompt: with those before its first response, which are the same for every photo.
    """
    begun = prompt
    for message in orjson.loads(turn.messages or "[]"):
        # A word stands for a message that other rows hold.
        role = message.get("role") if isinstance(message, dict) else message
        begun |= role == "assistant"
        if not begun or not isinstance(message, dict) or role not in ("user", "tool"):
            continue
        content = message.get("content")
        for part in content if isinstance(content, list) else [content]:
            text = part.get("text") if isinstance(part, dict) else part
            if isinstance(text, str):
                yield text


@lru_cache(maxsize=64)
def _prompts(recipe: Recipe) -> str:
    texts = (recipe.system_prompt, recipe.user_prompt)
    return "\n".join(
        [*texts, canonical_text(list(recipe.tools)), canonical_text(recipe.extra_body)]
    )


# --- what -----------------------------------------------------------------------------------


def coordinates_in(text: str, lat: float, lon: float) -> str | None:
    """The pair of numbers in a text that are these degrees, as they are written there."""
    if "[" in text:
        text = _BRACKETS.sub(_without_box, text)
    sure: dict[str, str] = {}
    before: re.Match[str] | None = None
    for number in _NUMBER.finditer(text):
        decimals = len(number[1])
        is_lat, is_lon = (_agrees(number, decimals, truth) for truth in (lat, lon))
        if is_lon and before is not None and number.start() - before.end() <= _NEAR:
            return f"{before.group()}, {number.group()}"
        if decimals >= _SURE_DECIMALS:
            if is_lat and "lat" not in sure:
                sure["lat"] = number.group()
            elif is_lon:
                sure["lon"] = number.group()
            if len(sure) == 2:
                return f"{sure['lat']}, {sure['lon']}"
        before = number if is_lat else None
    return None


def _without_box(brackets: re.Match[str]) -> str:
    """What stands in brackets, or nothing where that is a box."""
    return "" if _FOUR_NUMBERS.fullmatch(brackets.group()) else brackets.group()


def _agrees(number: re.Match[str], decimals: int, truth: float) -> bool:
    """Whether the number is the truth without its sign, rounded or cut to its decimals."""
    unit = 10.0 ** -min(decimals, 4)
    missing = abs(truth) - float(number.group())
    return -unit / 2 - 1e-9 <= missing < unit - 1e-9


def place_names(sample: Sample) -> tuple[str, ...]:
    """The names of a sample's place that can be told from other words, without accents."""
    values = [sample.country]
    values += [v for k, v in sample.columns.items() if k.strip().lower() in PLACE_COLUMNS]
    names = []
    for value in values:
        if isinstance(value, str):
            name = _plain(value).strip()
            words = re.findall(r"[^\W_]+(?:[-_][^\W_]+)*", name.lower())
            long_enough = len(name) >= (_LEAST_NAME if _has_case(name[:1]) else 2)
            known = name.lower() in _NO_PLACE or all(word in OWN_WORDS for word in words)
            if long_enough and not known and name not in names:
                names.append(name)
    return tuple(names)


def name_in(text: str, name: str) -> str | None:
    """A place's name (of `place_names`) as a text holds it, as words with a capital letter."""
    plain = _plain(text)
    if name.lower() not in plain.lower():
        return None
    for match in re.finditer(re.escape(name), plain, re.IGNORECASE):
        first = match.group()[0]
        if (first.isupper() or not _has_case(first)) and _stands_alone(plain, match):
            return match.group()
    return None


def file_names(sample: Sample) -> tuple[str, ...]:
    """Names of image files in a sample's columns, each also without its ending if it is telling."""
    names: list[str] = []
    for value in sample.columns.values():
        if not isinstance(value, str) or not _IMAGE_FILE.search(value):
            continue
        name = re.split(r"[/\\]", value)[-1]
        stem = _IMAGE_FILE.sub("", name)
        if stem:
            names.append(name)
        if len(stem) >= _LEAST_STEM and any(c.isdigit() for c in stem):
            names.append(stem)
    return tuple(names)


def file_name_in(text: str, name: str) -> str | None:
    """A file's name as a text holds it, where it is no part of a longer one."""
    if name.lower() not in text.lower():
        return None
    for match in re.finditer(re.escape(name), text, re.IGNORECASE):
        if _stands_alone(text, match):
            return match.group()
    return None


def _stands_alone(text: str, match: re.Match[str]) -> bool:
    """Whether no letter or digit of a script that parts its words touches the match."""

    def touches(inner: str, outer: str) -> bool:
        return outer.isalnum() and (_has_case(inner) or inner.isdigit())

    start, end = match.span()
    return not touches(text[start], text[start - 1 : start]) and not touches(
        text[end - 1], text[end : end + 1]
    )


def _has_case(character: str) -> bool:
    return character.upper() != character.lower()


def _plain(text: str) -> str:
    """The text without accents."""
    if text.isascii():
        return text
    apart = unicodedata.normalize("NFKD", text)
    return "".join(c for c in apart if not unicodedata.combining(c))
