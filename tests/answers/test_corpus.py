"""The parser over a corpus of responses: every form, every failure, and refusals in many languages.

`corpus.jsonl` has one response a line with what a reader takes it for. A member that a line does
not have (the place in words, the confidence) is not compared.
"""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from geostore.answers import FAILURES, FORMS, parse_answer
from geostore.answers.refusals import WINDOW, refusal_in
from geostore.answers.thoughts import visible_text
from geostore.stated import Answer

CORPUS = [
    json.loads(line)
    for line in (Path(__file__).parent / "corpus.jsonl").read_text(encoding="utf-8").splitlines()
]
REFUSALS = [row["response"] for row in CORPUS if row["failure"] == "refused"]
PAIR = "\\boxed{48.8566, 2.3522}"


def members(answer: Answer) -> dict[str, Any]:
    return {
        **{name: getattr(answer, name) for name in ("lat", "lon", "form", "failure")},
        **{name: getattr(answer.stated, name) for name in ("country", "region", "city")},
        "confidence": answer.stated.confidence,
        "confidence_form": answer.stated.confidence_form,
    }


@pytest.mark.parametrize("row", CORPUS, ids=[repr(row["response"])[:60] for row in CORPUS])
def test_a_response_is_read_as_a_reader_takes_it(row: dict[str, Any]) -> None:
    read = members(parse_answer(row["response"]))
    assert {name: read[name] for name in row if name != "response"} == {
        name: value for name, value in row.items() if name != "response"
    }


def test_the_corpus_has_every_form_and_every_failure() -> None:
    assert {row["form"] for row in CORPUS if row["failure"] is None} == set(FORMS)
    assert {row["failure"] for row in CORPUS} == {None, *FAILURES}
    assert len({row["response"] for row in CORPUS}) == len(CORPUS)


# --- numbers that break off ----------------------------------------------------------------------

degrees = st.integers(-89_000, 89_000).map(lambda milli: f"{milli / 1000:.3f}")
# What breaks a number off: letters, words, a sign or a mark. Not a unit, a hemisphere or a comment.
garbage = st.one_of(
    st.from_regex(r" ?[F-MO-RT-VX-Zf-mo-rt-vx-z][a-z]{2,8}", fullmatch=True).filter(
        lambda text: not text.strip().lower().startswith(("deg", "approx", "and"))
    ),
    st.sampled_from(
        [". organ", ".. ", "…", " - 3", " ± x", "_", "°°", "%", " …", "e", "-", "abc", "."]
    ),
)
WRITERS = (
    '{{"lat": {0}, "lon": {1}}}',
    '{{"latitude": "{0}", "longitude": "{1}"}}',
    'Lima (-12.0464, -77.0428)? No. {{"lat": {0}, "long": {1}, "city": "Oruro"}}',
    '<answer>{{"lat": {0}, "lon": {1}}}</answer>',
    '```json\n{{\n  "lng": {1},\n  "lat": {0}\n}}\n```',
)


@given(
    lat=degrees,
    lon=degrees,
    broken=garbage,
    which=st.sampled_from(["lat", "lon", "both"]),
    whole=st.booleans(),
    writer=st.sampled_from(WRITERS),
)
def test_a_json_number_that_breaks_off_is_never_read(
    lat: str, lon: str, broken: str, which: str, whole: bool, writer: str
) -> None:
    """A number that goes on in letters has lost digits; its beginning is another place."""
    if whole:  # -67. organ
        lat, lon = lat.split(".")[0], lon.split(".")[0]
    assume(not (whole and broken == "."))  # 48. is a number in Python
    assume((lat, lon) != ("-12", "-77"))
    lat += broken if which in ("lat", "both") else ""
    lon += broken if which in ("lon", "both") else ""
    text = writer.format(lat, lon)
    answer = parse_answer(text)
    assert answer.failure is not None, text


@given(lat=degrees, lon=degrees, other=st.tuples(degrees, degrees), between=st.text(max_size=40))
def test_of_two_json_objects_the_last_counts(
    lat: str, lon: str, other: tuple[str, str], between: str
) -> None:
    """An answer that corrects itself; a reader of the first object reads the wrong place."""
    between = between.translate(dict.fromkeys(map(ord, "<>{}\\◁▷[]|\"'0123456789"), " "))
    text = '{{"lat": {}, "lon": {}}}'
    first, last = text.format(*other), text.format(lat, lon)
    answer = parse_answer(f"{first} {between}\nNo, better: {last}")
    assert (answer.lat, answer.lon) == (float(lat), float(lon))


# --- refusals -------------------------------------------------------------------------------------


@pytest.mark.parametrize("refusal", REFUSALS)
def test_a_response_that_refuses_and_then_answers_is_an_answer(refusal: str) -> None:
    assert parse_answer(f"{refusal}\n\nStill, my answer: {PAIR}").lat == 48.8566


@pytest.mark.parametrize("refusal", REFUSALS)
def test_a_refusal_in_a_thought_or_before_a_call_counts_for_nothing(refusal: str) -> None:
    """A thought and the words before a call say what the teacher cannot see yet."""
    plain = refusal.replace("<think>", "").replace("</think>", " ")
    assert parse_answer(f"<think>{plain}</think>A street.").failure == "no_coordinates"
    assert parse_answer(refusal, calls=True).failure != "refused"
    call = '\n<tool_call>{"name": "image_zoom", "arguments": {}}</tool_call>'
    assert parse_answer(refusal + call).failure != "refused"
    assert parse_answer(refusal, cut=True).failure != "refused"


def test_a_reply_that_says_that_it_is_a_refusal_is_one_whatever_its_words() -> None:
    assert parse_answer("", refused=True).failure == "refused"
    assert parse_answer("No.", refused=True).failure == "refused"
    assert parse_answer(PAIR, refused=True).failure is None


def test_a_box_around_unknown_is_unknown_unless_the_prose_refuses() -> None:
    assert parse_answer("\\boxed{unknown}").failure == "unknown"
    assert parse_answer("There is no sign. \\boxed{unknown}").failure == "unknown"
    refused = parse_answer("I can't determine the location. \\boxed{unknown}")
    assert (refused.failure, refused.form) == ("refused", "boxed")


SHORT = (
    *("I do not know.", "Unfortunately I don't know.", "I'm sorry. I have no idea."),
    *("I don’t know …", "Not enough information.", "I don't know where this is."),
    *("无法确定", "无法定位。", "我不知道。", "特定できません。", "わかりません。", "모르겠습니다"),
    *("Lo siento, pero no puedo.", "No lo sé.", "Ich weiß es nicht.", "Я не знаю.", "لا أعرف."),
)


@pytest.mark.parametrize("response", SHORT)
def test_a_response_that_only_says_that_it_does_not_know_is_a_refusal(response: str) -> None:
    assert parse_answer(response).failure == "refused"


@pytest.mark.parametrize("response", SHORT[:3])
def test_not_knowing_something_in_a_longer_response_is_no_refusal(response: str) -> None:
    """It may be the sign that the teacher does not know about."""
    assert parse_answer(f"What does the sign say? {response}").failure == "no_coordinates"


def test_a_step_before_the_refusal_is_past_and_one_after_it_is_the_next() -> None:
    refusal, step = "I can't determine the location.", "Let me zoom in on the sign."
    assert parse_answer(f"{step} {refusal}").failure == "refused"
    assert parse_answer(f"{refusal} {step}").failure == "no_coordinates"
    assert parse_answer("I can't determine the location yet.").failure == "no_coordinates"


@pytest.mark.parametrize("stated", ['{"country": "Chile"}', "国家：智利", "| Country | Chile |"])
def test_a_place_stated_beside_a_refusal_is_an_answer_in_words(stated: str) -> None:
    answer = parse_answer(f"{stated}\nI can't determine the coordinates.")
    assert (answer.failure, answer.stated.country is None) == ("no_coordinates", False)


@pytest.mark.parametrize(
    "mark",
    ["–", "—", "…", "“corner”", "°", "’", "São Paulo avenue", "é"],
)
def test_one_character_that_is_not_ascii_changes_no_refusal(mark: str) -> None:
    refusal = f"A street {mark} with trees. I’m sorry, but I can’t determine where it was taken."
    assert parse_answer(refusal).failure == "refused"


def test_an_attempt_at_numbers_is_no_refusal() -> None:
    """It tried, so what went wrong with its numbers is the reason."""
    refusal = "I can't determine the exact location."
    assert parse_answer(f"{refusal} \\boxed{{95, 200}}").failure == "out_of_range"
    assert parse_answer(f"{refusal} It lies at about 48.8° N.").failure == "one_number"


@given(st.sampled_from(REFUSALS), st.sampled_from(["a ", "\n", "no. ", "I can't ", "无法"]))
def test_a_refusal_is_found_at_both_ends_of_a_long_response(refusal: str, unit: str) -> None:
    words = parse_answer(refusal).failure
    assert words == "refused"
    filler = "x. " + unit * (200_000 // len(unit)) + ".\n"
    for text in (f"{refusal}\n{filler}", f"{filler}\n{refusal}"):
        assert refusal_in(visible_text(text)) is not None
    middle = f"{'a. ' * WINDOW}\n{refusal}\n{'b. ' * WINDOW}"
    assert refusal_in(middle) is None
