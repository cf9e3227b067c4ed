"""The audit: each check on a trace that has it and on near misses; what is looked at when."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from geostore.audit import CHECKS, VERSIONS, audit, format_checks
from geostore.audit.audited_text import AuditedText
from geostore.audit.contradiction import contradiction
from geostore.audit.leaks import OWN_WORDS, coordinates_in, file_name_in, name_in, place_names
from geostore.audit.run import run_checks
from geostore.audit.wording import loop_in
from geostore.errors import ExportError, FilterError
from geostore.export import ExportOptions, Filter, export
from geostore.query.reader import run_query
from geostore.query.stats import format_text, stats
from geostore.records import Recipe, Sample
from geostore.store import Store
from geostore.tools.registry import TOOLS
from tests.builders import (
    BAD_BOX,
    NATIVE_RECIPE,
    NO_ANSWER,
    TEXT_RECIPE,
    TOOLLESS_RECIPE,
    TURN_LEFT,
    ZOOM_IN,
    Line,
    StoreBuilder,
    make_dataset,
    native,
    recipe_of,
)
from tests.examples import examples
from tests.minds import ROTATE, ZOOM, answer, text_call
from tests.questioned import wilson
from tests.running import geostore

ROWS = 4
NEAR = answer(10.0, 20.0)  # the truth of row 0
PROSE = (
    "The road is lined with plane trees, the houses have stone walls and tiled roofs, and the "
    "plates have a blue band at the left, so this is the south of the continent. "
)


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_dataset(
        tmp_path_factory.mktemp("data") / "photos",
        ROWS,
        country=["France", "Japan", "Turkey", "united kingdom"],
        city=["Nîmes", "Give", "Nice", None],
        file_name=["a/lund_01.jpg", "photo.jpg", "sign.png", "IMG_4711.JPG"],
    )


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store without rows, to be copied: to make one anew takes longer than most tests here."""
    path = tmp_path_factory.mktemp("empty") / "geostore.db"
    Store.open(path, create=True).close()
    return path


@pytest.fixture
def store(empty: Path, tmp_path: Path) -> Iterator[Store]:
    with Store.open(shutil.copy(empty, tmp_path / "geostore.db"), durability="normal") as opened:
        yield opened


@pytest.fixture
def builder(store: Store, photos: Path) -> StoreBuilder:
    return StoreBuilder(store, photos)


def flags(store: Store) -> dict[str, dict[str, str]]:
    """Trace name to what it is flagged with, and the detail; traces without flags too."""
    found: dict[str, dict[str, str]] = {}
    for row in store.db.connection.execute(
        "select s.sample_index || '-' || substr(r.sha256, 1, 8) || '-' || t.rollout as name,"
        " f.flag, f.detail from audits a join traces t on t.id = a.trace_id"
        " join samples s on s.id = t.sample_id join recipes r on r.id = t.recipe_id"
        " left join trace_flags f on f.trace_id = t.id order by a.trace_id, f.flag"
    ):
        mine = found.setdefault(row["name"], {})
        if row["flag"] is not None:
            mine[row["flag"]] = row["detail"]
    return found


def rows(store: Store) -> list[tuple[Any, ...]]:
    """All that an audit wrote, but for when."""
    suites = "select id, checks from audit_suites"
    checks = {row["id"]: row["checks"] for row in store.db.connection.execute(suites)}
    looked_at = [
        (row["trace_id"], checks[row["suite_id"]], *tuple(row)[2:5])
        for row in store.db.connection.execute("select * from audits order by trace_id")
    ]
    found = "select trace_id, flag, version, detail from trace_flags order by trace_id, flag"
    return looked_at + [tuple(row) for row in store.db.connection.execute(found)]


def say(store: Store, name: str, sentence: str, *, turn: int = 1) -> None:
    """Put a sentence into what a tool told the teacher."""
    changed = store.db.connection.execute(
        "update tool_calls set observation = observation || ' ' || ?"
        " where trace_id = ? and turn = ?",
        (sentence, store.traces.find_trace(name), turn),
    )
    assert changed.rowcount


# --- checks on whole traces -----------------------------------------------------------------


@dataclass(frozen=True)
class Case:
    """A trace to play, and whether a flag is to be found in it."""

    flag: str
    script: list[Any]
    flagged: bool
    recipe: Recipe


def has(flag: str, *script: Any, recipe: Recipe = TEXT_RECIPE) -> Case:
    return Case(flag, list(script), True, recipe)


def misses(flag: str, *script: Any) -> Case:
    return Case(flag, list(script), False, TEXT_RECIPE)


ENHANCE = "image_enhance_tool"
WHOLE = text_call(ZOOM, {"bbox_2d": [0, 0, 1000, 1000]})
FULL_TURN = text_call(ROTATE, {"angle": -360})
TURN_AGAIN = text_call(ROTATE, {"angle": 90, "img_idx": 0})
OTHER_ZOOM = text_call(ZOOM, {"bbox_2d": [101, 300, 700, 900]})
LOOP = "The sign is blue. " * 30
CUT = {"response": PROSE, "finish_reason": "length"}


CASES = [
    has("no_op_call", WHOLE, NEAR),
    has("no_op_call", FULL_TURN, NEAR),
    misses("no_op_call", OTHER_ZOOM, NEAR),
    has("repeated_call", ZOOM_IN, OTHER_ZOOM, ZOOM_IN, NEAR),
    has("repeated_call", BAD_BOX, BAD_BOX, NEAR),
    has(
        "repeated_call",
        TURN_AGAIN,
        text_call(ROTATE, {"angle": -270, "img_idx": 0}),
        NEAR,
    ),
    # Each turns what the one before it gave.
    misses("repeated_call", TURN_LEFT, TURN_LEFT, NEAR),
    misses("repeated_call", ZOOM_IN, OTHER_ZOOM, NEAR),
    # The fourth call of a turn is refused, and asking for it again is what it was told to do.
    misses("repeated_call", ZOOM_IN + OTHER_ZOOM + TURN_LEFT + WHOLE, WHOLE, NEAR),
    has("answer_after_failed_call", ZOOM_IN, BAD_BOX, NEAR),
    misses("answer_after_failed_call", BAD_BOX, ZOOM_IN, NEAR),
    misses("answer_after_failed_call", BAD_BOX + ZOOM_IN, NEAR),
    misses("answer_after_failed_call", BAD_BOX, NO_ANSWER, NO_ANSWER, NO_ANSWER),
    has("truncated", CUT),
    misses("truncated", PROSE + NEAR),
    *(
        has("broken_off", ZOOM_IN, {"response": f"{NEAR} comes first, but", "finish_reason": word})
        for word in ("error", "abort", "network_error", "timeout", "insufficient_system_resource")
    ),
    *(
        misses("broken_off", {"response": PROSE + NEAR, "finish_reason": word})
        for word in ("stop", "length", "errorless", "", None)
    ),
    misses("broken_off", {"response": ZOOM_IN, "finish_reason": "error"}, NEAR),
    misses("broken_off", *[{"response": NO_ANSWER, "finish_reason": "error"}] * 3),
    has("null_island", answer(0.0, 0.0)),
    misses("null_island", answer(0.0, 0.001)),
    has("placeholder", NO_ANSWER, NO_ANSWER, NO_ANSWER),
    misses("placeholder", NEAR),
    has("repeated_text", LOOP + NEAR),
    has("repeated_text", f"<think>{LOOP}</think>{NEAR}"),
    has("repeated_text", PROSE, PROSE, NEAR),
    misses("repeated_text", PROSE, PROSE.replace("plane", "lime"), NEAR),
    misses("repeated_text", "Hm.", "Hm.", NEAR),
    has("odd_thought", f"<scratchpad>{PROSE}</scratchpad>{NEAR}"),
    has("odd_thought", f"<|thinking|>{ZOOM_IN}", NEAR),
    misses("odd_thought", f"<think>{PROSE}</think>[THINK]{PROSE}[/THINK]{NEAR}"),
    misses("odd_thought", f"I think <b>so</b>; a reflection [1]. {NEAR}"),
    misses("claimed_tool", f"[THINK]I zoomed in on the sign.[/THINK]Let me answer. {NEAR}"),
    has("claimed_tool", f"I zoomed in on the sign, and it is French. {NEAR}"),
    has("claimed_tool", f"After zooming in on the sign, I can see a name. {NEAR}"),
    has("claimed_tool", f"The zoomed-in image shows a name. {NEAR}"),
    has("claimed_tool", f"<tool_response>Image 1: a sign</tool_response> {NEAR}"),
    has("claimed_tool", ZOOM_IN, f"<tool_response>a sign</tool_response> {NEAR}"),
    has("claimed_tool", ZOOM_IN + NEAR, recipe=TOOLLESS_RECIPE),
    misses("claimed_tool", ZOOM_IN, f"I zoomed in on the sign, and it is French. {NEAR}"),
    misses("claimed_tool", f"If I zoomed in, I could read it. {NEAR}"),
    misses("claimed_tool", f"I have not zoomed in, and I will not. {NEAR}"),
    misses("claimed_tool", f"The crop shows signs of drought; it was zoomed by bees. {NEAR}"),
    misses("claimed_tool", f"<think>I zoomed in?</think>Let me answer. {NEAR}"),
    misses("claimed_tool", f"I have zoomed in on it. {ZOOM_IN}", NEAR),
    has("contradicts_prose", "It is at 33.86°S, 151.21°E. " + answer(48.85, 2.35)),
    misses("contradicts_prose", "It is at 10.01°N, 20.02°E. " + NEAR),
    has("odd_frame", text_call(ZOOM, {"bbox_2d": [0.1, 0.1, 0.4, 0.4]}), NEAR),
    misses("odd_frame", text_call(ZOOM, {"bbox_2d": [500, 500, 1010, 1010]}), NEAR),
]


@pytest.fixture(scope="module")
def audited_cases(
    photos: Path, tmp_path_factory: pytest.TempPathFactory
) -> list[tuple[str, dict[str, str]]]:
    """Name and flags of each case's trace; all are rollouts of one photo in one store."""
    path = tmp_path_factory.mktemp("cases") / "geostore.db"
    with Store.open(path, create=True, durability="normal") as store:
        builder = StoreBuilder(store, photos)
        names = [
            builder.play(0, case.script, recipe=case.recipe, rollout=number)
            for number, case in enumerate(CASES, start=1)
        ]
        builder.play(1, ["an end"], turn_limit=1)  # no recipe was asked of one photo only
        builder.play(1, ["an end"], turn_limit=1, recipe=TOOLLESS_RECIPE)
        result = audit(store)
        found = flags(store)
    for flag, count in result.flags.items():
        assert count.traces == sum(flag in mine for mine in found.values())
    return [(name, found[name]) for name in names]


@pytest.mark.parametrize(
    "number",
    range(len(CASES)),
    ids=lambda number: f"{'' if CASES[number].flagged else 'near '}{CASES[number].flag}",
)
def test_a_trace_that_has_it_is_flagged_and_a_near_miss_is_not(
    audited_cases: list[tuple[str, dict[str, str]]], number: int
) -> None:
    _, found = audited_cases[number]
    assert (CASES[number].flag in found) == CASES[number].flagged


def test_an_ordinary_trace_has_no_flag(builder: StoreBuilder) -> None:
    text = builder.play(0, [f"<think>{PROSE}</think>{ZOOM_IN}", TURN_LEFT, PROSE + NEAR])
    calls: list[Line] = [native("Look.", (ZOOM, {"bbox_2d": [10, 10, 500, 500]})), PROSE * 2 + NEAR]
    other = builder.play(1, calls, recipe=NATIVE_RECIPE)
    audit(builder.store)
    assert flags(builder.store) == {text: {}, other: {}}


# --- the same words -------------------------------------------------------------------------


def test_the_same_words_under_two_recipes_are_flagged_on_both_sides(builder: StoreBuilder) -> None:
    first = builder.play(0, [PROSE + NEAR])
    audit(builder.store)
    assert "same_response" not in flags(builder.store)[first]
    other = builder.play(1, [PROSE + NEAR], recipe=TOOLLESS_RECIPE)
    audit(builder.store)
    found = flags(builder.store)
    assert found[first]["same_response"] == f"the words of {other}"
    assert found[other]["same_response"] == f"the words of {first}"


def test_the_same_words_twice_under_one_recipe_or_few_of_them_prove_nothing(
    builder: StoreBuilder,
) -> None:
    builder.play(0, [PROSE + NEAR])
    builder.play(0, [PROSE + NEAR], rollout=2)
    builder.play(1, [NEAR])
    builder.play(1, [NEAR], recipe=TOOLLESS_RECIPE)
    builder.play(2, [f"<think>{PROSE}</think>{NEAR}"])
    builder.play(2, [f"<think>{PROSE} So.</think>{NEAR}"], recipe=TOOLLESS_RECIPE)
    assert audit(builder.store).flags["same_response"].traces == 0


def test_the_flag_goes_with_the_other_trace(builder: StoreBuilder) -> None:
    """A trace that is taken up again says more, and is then no copy any longer."""
    first = builder.play(0, [PROSE + ZOOM_IN], turn_limit=1)
    kept = builder.play(1, [PROSE + ZOOM_IN], recipe=TOOLLESS_RECIPE, turn_limit=1)
    audit(builder.store)
    assert "same_response" in flags(builder.store)[kept]
    builder.play(0, [NEAR], turn_limit=5)
    audit(builder.store)
    found = flags(builder.store)
    assert "same_response" not in found[first]
    assert "same_response" not in found[kept]


# --- leaks ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sentence", "flag"),
    [
        ("The photo is at 10.0, 20.0.", "leaked_coordinates"),
        ("GPSLatitude: 10.000 and much later, after other things, GPSLongitude: 20.000", None),
        ("It was taken in France.", "leaked_place"),
        ("It was taken in NIMES.", "leaked_place"),
        ("Cannot read /data/a/lund_01.jpg", "leaked_file_name"),
        ("Cannot read lund_01", "leaked_file_name"),
        ("It looks french, from lund_010.jpg at 10, 20, from Francesca, or nimes.", ""),
    ],
)
def test_the_truth_in_an_observation_is_a_leak(
    builder: StoreBuilder, sentence: str, flag: str | None
) -> None:
    name = builder.play(0, [ZOOM_IN, NEAR])
    say(builder.store, name, sentence)
    audit(builder.store)
    leaks = {f for f in flags(builder.store)[name] if f.startswith("leaked")}
    assert leaks == ({"leaked_coordinates" if flag is None else flag} if flag != "" else set())
    if leaks:
        (detail,) = flags(builder.store)[name].values()
        assert detail.startswith("observation of turn 1: ")


def test_what_the_teacher_said_first_is_no_leak(builder: StoreBuilder) -> None:
    before = builder.play(0, [f"France? Perhaps 10.00, 20.00. {ZOOM_IN}", NEAR])
    after = builder.play(0, [ZOOM_IN, "France! At 10.00, 20.00. " + NEAR], rollout=2)
    for name in (before, after):
        say(builder.store, name, "Near 10.0, 20.0 in France.")
    audit(builder.store)
    found = flags(builder.store)
    assert found[before] == {}
    assert {f for f in found[after] if f.startswith("leaked")} == {
        "leaked_coordinates",
        "leaked_place",
    }
    say(builder.store, before, "More exactly, in Nimes.")
    builder.store.db.connection.execute("delete from audits")
    audit(builder.store)
    assert flags(builder.store)[before] == {"leaked_place": "observation of turn 1: Nimes"}


def test_the_datasets_path_in_an_observation_is_a_leak(builder: StoreBuilder, photos: Path) -> None:
    name = builder.play(1, [ZOOM_IN, NEAR])
    say(builder.store, name, f"OSError: {photos}/image.arrow")
    audit(builder.store)
    assert set(flags(builder.store)[name]) == {"leaked_file_name"}


def test_a_prompt_tells_of_a_photo_only_while_the_recipe_has_no_other(
    builder: StoreBuilder,
) -> None:
    """What is said of every photo tells nothing of this one; a later audit takes the flag back."""
    prompt = TEXT_RECIPE.user_prompt + " Somewhere in France, such as 10.0, 20.0."
    recipe = replace(TEXT_RECIPE, user_prompt=prompt)
    first = builder.play(0, [NEAR], recipe=recipe)
    audit(builder.store)
    assert set(flags(builder.store)[first]) == {"leaked_coordinates", "leaked_place"}
    builder.play(1, [NEAR], recipe=recipe)
    assert audit(builder.store).newly_audited == 2
    assert flags(builder.store)[first] == {}


@pytest.mark.parametrize(
    ("text", "leaked"),
    [
        ("48.8566, 2.3522", True),
        ("lat=48.9 lon=2.4", True),
        ("Latitude: 48.86°\nLongitude: 2.35°", True),
        ("48.8 N, 2.3 E", True),  # cut, not rounded
        ("48.85661, 2.35224", True),
        ("-48.9, -2.4", True),
        ("2.352 and then, a line further down, quite another thing altogether: 48.857", True),
        # One of the two, the wrong order, far apart, whole degrees, near by only.
        ("48.8566", False),
        ("2.4, 48.9", False),
        ("48.9 and then, a line further down, quite another thing: 2.4", False),
        ("49, 2", False),
        ("48.7, 2.4", False),
        ("48.9, 1.0, 2.4", False),
        ("148.9, 2.4 and 48.9.1, 2.4", False),
        # What observations are full of.
        ("Image 1 (489 x 235 pixels): zoom into image 0, box [48.86, 2.35, 600, 700].", False),
        ("image 0 turned 48.86 degrees counter-clockwise.", False),
    ],
)
def test_coordinates_are_found_to_one_decimal_and_more(text: str, leaked: bool) -> None:
    assert (coordinates_in(text, 48.8566, 2.3522) is not None) == leaked


@given(
    lat=st.floats(-90, 90),
    lon=st.floats(-180, 180),
    decimals=st.integers(1, 4),
    cut=st.booleans(),
)
def test_the_truth_is_found_at_every_number_of_decimals(
    lat: float, lon: float, decimals: int, cut: bool
) -> None:
    def written(value: float) -> str:
        if cut:
            whole = f"{value:.12f}"
            return whole[: whole.index(".") + 1 + decimals]
        return f"{value:.{decimals}f}"

    assert coordinates_in(f"at {written(lat)}, {written(lon)}.", lat, lon)


def sample(country: str | None = None, **columns: Any) -> Sample:
    return Sample(0, 1.0, 2.0, None, country, columns, None, "missing")


@pytest.mark.parametrize(
    ("text", "place", "found"),
    [
        ("in the United Kingdom.", "united kingdom", True),
        ("à Nîmes", "Nimes", True),
        ("São Paulo's streets", "Sao Paulo", True),
        ("在東京拍摄", "東京", True),
        ("the turkey, a polish box, in chad", "Turkey", False),
        ("Romania", "Oman", False),
        ("New Yorkshire", "New York", False),
        ("Give [x1, y1, x2, y2]", "Give", False),
        ("The FR of it", "FR", False),
    ],
)
def test_places_are_words_of_their_own_with_a_capital(text: str, place: str, found: bool) -> None:
    names = place_names(sample(place))
    assert any(name_in(text, name) for name in names) == found


def test_columns_that_name_a_place_are_compared_and_others_are_not() -> None:
    names = place_names(sample("France", City="Lyon", road="Rue Nationale", subset="Berlin", lat=1))
    assert names == ("France", "Lyon", "Rue Nationale")
    assert place_names(sample("unknown", city="", state=None)) == ()


def test_a_file_name_is_no_part_of_a_longer_one() -> None:
    assert file_name_in("open('/x/lund_01.jpg')", "lund_01.jpg")
    assert file_name_in("open('/x/LUND_01.jpg')", "lund_01.jpg")
    assert not file_name_in("lund_011, flund_01.jpgx", "lund_01.jpg")
    assert not file_name_in("lund_011, flund_01.jpgx", "lund_01")


def test_every_word_that_the_tools_say_of_any_photo_is_known(builder: StoreBuilder) -> None:
    """Else a place of that name (Give, Box) would be found in each of their sentences."""
    calls = [
        WHOLE,
        ZOOM_IN,
        ZOOM_IN,
        TURN_LEFT,
        FULL_TURN,
        BAD_BOX,
        text_call(ROTATE, {"angle": -15}),
        text_call(ROTATE, {"angle": "no"}),
        text_call(ROTATE, {}),
        text_call(ROTATE, {"angle": 1, "q": 1}),
        text_call(ROTATE, [1]),
        text_call("draw", {}),
        "<tool_call>{}</tool_call>",
        text_call(ZOOM, "{"),
        text_call(ZOOM, {"bbox_2d": [1, 2, 3, 4], "img_idx": 99}),
        text_call(ZOOM, {"bbox_2d": [1, 2, 3, 4], "img_idx": "x"}),
        text_call(ZOOM, {"bbox_2d": [1, 2, 3, 4], "label": 4}),
        text_call(ZOOM, {"bbox_2d": [1, 2, 3]}),
        text_call(ZOOM, {"bbox_2d": [1, 2, 3, 4]}),
        text_call(ZOOM, {"bbox_2d": [2000, 2, 3000, 40]}),
        text_call(ZOOM, {"bbox_2d": [0, 500, 1000, 513]}),
        text_call(ZOOM, {"bbox_2d": [500, 500, 1500, 1500]}),
        text_call(ENHANCE, {"brightness": 2, "contrast": 1.5}),
        text_call(ENHANCE, {}),
        text_call(ENHANCE, {"contrast": 99}),
    ]
    every_tool = recipe_of(model="m", extra_tools=(ENHANCE,))
    pixel = replace(every_tool, bbox_frame="pixel")
    for number, recipe in enumerate((every_tool, pixel)):
        script = ["".join(calls[at : at + 4]) for at in range(0, len(calls), 3)]
        builder.play(number, [*script, NEAR], recipe=recipe, turn_limit=99)
    said = builder.store.db.connection.execute("select observation from tool_calls")
    text = " ".join(re.sub(r'"[^"]*"', " ", row[0]) for row in said)
    words = set(re.findall(r"[a-z_]+(?:-[a-z]+)*", re.sub(r"\w*\d\w*", " ", text.lower())))
    assert sorted(words - OWN_WORDS - set(TOOLS)) == []


# --- loops ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("I see it. " + "na" * 400, True),
        (PROSE * 6, True),
        ("\n" * 400, True),
        ("word " * 100, True),
        ("我看到了山。" * 80, True),
        # Sentences that come back with others between them.
        ("".join(f"Step {n}. " + PROSE for n in range(6)), True),
        (PROSE * 2, False),
        ("".join(f"{n}. Clue {n} speaks for place {n * n}.\n" for n in range(60)), False),
        ("- Signs: not visible.\n- Cars: not visible.\n- Plates: not visible.\n" * 2, False),
        ("|---|---|---|\n" * 3, False),
        ("=" * 120, False),
        (ZOOM_IN * 4, False),
    ],
)
def test_a_loop_is_found_and_lists_and_tables_are_none(text: str, found: bool) -> None:
    assert (loop_in(text) is not None) == found


@given(
    piece=st.text(st.characters(categories=["L", "P", "Zs"]), min_size=1, max_size=120),
    before=st.text(max_size=300),
)
@settings(max_examples=examples(40))
def test_a_piece_that_fills_a_thousand_characters_is_a_loop_wherever_it_stands(
    piece: str, before: str
) -> None:
    assert loop_in(before + piece * (1 + 1000 // len(piece))) is not None


# --- answers and their prose ----------------------------------------------------------------

PARIS = "<answer>\\boxed{48.85, 2.35}</answer>"


@pytest.mark.parametrize(
    ("prose", "found"),
    [
        ("It lies at (35.6762, 139.6503). ", True),
        ("**Latitude:** 35.6762\n**Longitude:** 139.6503\n", True),
        ("35.7° N, 139.7° E it is. ", True),
        ("- **Country**: Japan\n", True),
        ("Country: **Australia** (New South Wales)\n", True),
        ("Hemisphere: Southern\n", True),
        # Near, or near enough, or only considered, or no statement of where it is.
        ("It lies at (48.8566, 2.3522). ", False),
        ("It lies at 48.9, 2.4 or (45.76, 4.83). ", False),
        ("Not Tokyo (35.6762, 139.6503), but Paris (48.8566, 2.3522). ", False),
        ("It could be Japan, but it is not. Country: unclear\n", False),
        ("- **Country**: France\n", False),
        ("Country: United Kingdom\n", False),  # 300 km
        ("Country: Japan or France\n", False),
        ("Country: Japan\nOn second thoughts:\nCountry: France\n", False),
        ("Hemisphere: Northern\n", False),
        ("Plants of the southern hemisphere are grown here. ", False),
        ("<think>Country: Japan\n(35.6762, 139.6503)</think>", False),
        ("The route is 35.6 km long and 139.65 m high. ", False),
    ],
)
def test_an_answer_is_held_against_what_is_stated_beside_it(prose: str, found: bool) -> None:
    assert (contradiction(prose + PARIS, 48.85, 2.35) is not None) == found


@pytest.mark.parametrize(
    ("words", "lat", "lon", "detail"),
    [
        ("France", -33.87, 151.21, "France in words, the point 1,938 km off in Australia"),
        ("Spain", 48.85, 2.35, "Spain in words, the point 679 km off in France"),
        ("法国", 40.4, -3.7, "France in words, the point 348 km off in Spain"),
        ("Portugal", 38.0, -14.0, "Portugal in words, the point 401 km off out at sea"),
        ("Cuba", 40.7, -74.0, "Cuba in words, the point 2,038 km off in United States"),
        ("Lesotho", -26.2, 28.0, "Lesotho in words, the point 271 km off in South Africa"),
        # In it, or near enough, or in a territory of it, or no country that is known.
        ("France", 48.85, 2.35, None),
        ("Lesotho", -29.5, 28.5, None),
        ("Germany", 48.58, 7.75, None),  # Strasbourg, 3 km from it
        ("Spain", 36.14, -5.35, None),  # Gibraltar
        ("Italy", 43.93, 12.45, None),  # San Marino
        ("Denmark", 55.0, 10.0, None),  # at sea, near the coast of Germany too
        ("the United States", 13.4, 144.8, None),  # Guam
        ("France", -21.1, 55.5, None),  # Réunion
        ("China", 22.3, 114.2, None),  # Hong Kong
        ("Fiji", -17.0, -179.9, None),  # beyond the antimeridian
        ("Antarctica", -89.0, 100.0, None),
        # In dispute, or an islet that the borders do not have: the next place is the country's.
        ("Ukraine", 44.95, 34.10, None),  # Simferopol
        ("Russia", 44.95, 34.10, None),
        ("Poland", 44.95, 34.10, "Poland in words, the point 963 km off in Russia"),
        ("Western Sahara", 27.15, -13.20, None),  # Laayoune
        ("Morocco", 27.15, -13.20, None),
        ("Greece", 36.15, 29.59, None),  # Kastellorizo
        ("Taiwan", 26.16, 119.95, None),  # Matsu
        ("Ukraine", 55.75, 37.62, "Ukraine in words, the point 452 km off in Russia"),  # Moscow
        ("somewhere in Europe", -33.87, 151.21, None),
        ("Japan or France", -33.87, 151.21, None),
    ],
)
def test_a_country_in_words_is_held_against_the_point(
    store: Store, builder: StoreBuilder, words: str, lat: float, lon: float, detail: str | None
) -> None:
    name = builder.play(0, [answer(lat, lon)])
    store.db.connection.execute("update answers set said_country = ?", (words,))
    audit(store)
    found = next(iter(flags(store).values())).get("words_against_point")
    assert name
    assert found == detail


def test_words_beside_no_coordinates_contradict_nothing(
    store: Store, builder: StoreBuilder
) -> None:
    builder.play(0, [NO_ANSWER])
    store.db.connection.execute("update answers set said_country = 'Japan'")
    audit(store)
    assert "words_against_point" not in next(iter(flags(store).values()))


# --- what is looked at when -----------------------------------------------------------------

SCRIPTS: list[list[Any]] = [
    [NEAR],
    [PROSE + NEAR],
    [ZOOM_IN, ZOOM_IN, NEAR],
    [BAD_BOX, answer(0.0, 0.0)],
    [LOOP, CUT],
    [ZOOM_IN],
]
RECIPES = (TEXT_RECIPE, TOOLLESS_RECIPE)


@settings(max_examples=examples(6), deadline=None, suppress_health_check=list(HealthCheck))
@given(
    steps=st.lists(
        st.one_of(
            st.none(),
            st.tuples(st.integers(0, 1), st.integers(0, len(SCRIPTS) - 1), st.integers(0, 1)),
        ),
        min_size=2,
        max_size=6,
    ),
    batch=st.integers(1, 3),
)
def test_audits_between_leave_what_one_at_the_end_does(
    steps: list[tuple[int, int, int] | None],
    batch: int,
    photos: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    """None is an audit; anything else plays a trace, or plays one on that is open or ran out."""
    path = tmp_path_factory.mktemp("store") / "geostore.db"
    with Store.open(path, create=True, durability="normal") as store:
        builder = StoreBuilder(store, photos)
        played: dict[tuple[int, int], int] = {}
        for step in steps:
            if step is None:
                audit(store, batch=batch)
                continue
            row, script, recipe = step
            limit = played.get((row, recipe), 0) + 2
            if limit == 2 or _can_go_on(store, row, recipe):
                builder.play(row, SCRIPTS[script], recipe=RECIPES[recipe], turn_limit=limit)
                played[row, recipe] = limit
        audit(store, batch=batch)
        once = rows(store)
        assert audit(store).newly_audited == 0
        assert rows(store) == once
        store.db.connection.execute("delete from audits")
        assert store.db.connection.execute("select count(*) from trace_flags").fetchone()[0] == 0
        audit(store)
        assert rows(store) == once


def _can_go_on(store: Store, row: int, recipe: int) -> bool:
    found = store.db.connection.execute(
        "select t.status, t.stop_reason from traces t join samples s on s.id = t.sample_id"
        " join recipes r on r.id = t.recipe_id where s.sample_index = ? and (r.tools = '[]') = ?",
        (row, recipe),
    ).fetchone()
    return bool(found["status"] == "open" or found["stop_reason"] == "turn_limit")


def test_an_open_trace_is_audited_once_it_is_closed(builder: StoreBuilder) -> None:
    name = builder.play(0, [WHOLE])
    assert audit(builder.store).newly_audited == 0
    assert flags(builder.store) == {}
    builder.play(0, [NEAR])
    assert audit(builder.store).newly_audited == 1
    assert "no_op_call" in flags(builder.store)[name]


def test_a_trace_that_is_taken_up_again_loses_what_was_found(builder: StoreBuilder) -> None:
    name = builder.play(0, [LOOP + WHOLE], turn_limit=1)
    audit(builder.store)
    assert set(flags(builder.store)[name]) == {"repeated_text"}
    builder.play(0, [NEAR], turn_limit=3)
    assert flags(builder.store) == {}
    audit(builder.store)
    assert set(flags(builder.store)[name]) == {"repeated_text", "no_op_call"}


def test_an_answer_that_was_read_anew_is_audited_anew(builder: StoreBuilder) -> None:
    name = builder.play(0, [answer(0.0, 0.0)])
    audit(builder.store)
    assert set(flags(builder.store)[name]) == {"null_island"}
    builder.store.db.connection.execute(
        "insert into answers (trace_id, parser_version, lat, lon, form)"
        " select trace_id, parser_version + 1, 1.0, 2.0, form from answers"
    )
    assert audit(builder.store).newly_audited == 1
    assert flags(builder.store)[name] == {}


def test_only_a_check_whose_version_is_new_runs_again(builder: StoreBuilder) -> None:
    builder.play(0, [LOOP + NEAR])
    builder.play(1, [CUT])
    ran: list[str] = []

    def counted(
        name: str, find: Callable[[AuditedText], str | None]
    ) -> Callable[[AuditedText], Any]:
        def noted(audited: AuditedText) -> str | None:
            ran.append(name)
            return find(audited)

        return noted

    checks = {
        name: replace(check, find=counted(name, check.find) if check.find else None)
        for name, check in CHECKS.items()
    }
    run_checks(builder.store, checks)
    before = rows(builder.store)
    ran.clear()
    assert run_checks(builder.store, checks).newly_audited == 0
    assert ran == []
    newer = replace(checks["odd_frame"], version=2, find=lambda audited: "all are odd")
    result = run_checks(builder.store, {**checks, "odd_frame": newer})
    assert result.newly_audited == 2
    assert result.flags["odd_frame"].traces == 2
    assert ran == []
    assert [row for row in rows(builder.store) if row[1] == "repeated_text"] == [
        row for row in before if row[1] == "repeated_text"
    ]
    without = {name: check for name, check in checks.items() if name != "repeated_text"}
    run_checks(builder.store, without)
    assert not any(row[1] == "repeated_text" for row in rows(builder.store))


def test_a_trace_that_is_taken_up_while_it_is_looked_at_is_left_to_the_next_audit(
    builder: StoreBuilder, photos: Path
) -> None:
    builder.play(0, [ZOOM_IN], turn_limit=1)
    kept = builder.play(1, [NEAR])

    def taken_up(audited: AuditedText) -> str | None:
        with Store.open(builder.store.path, durability="normal") as other, other.db.transaction():
            other.claims.claim(
                sample_id=1, recipe_id=1, rollout=1, run_id=1, turn_limit=9, seconds=60.0
            )
        return "seen"

    checks = {"odd_frame": replace(CHECKS["odd_frame"], find=taken_up)}
    assert run_checks(builder.store, checks).newly_audited == 1
    assert list(flags(builder.store)) == [kept]


# --- exports --------------------------------------------------------------------------------


def exported(store: Store, out: Path, *exclude: str) -> set[str]:
    export(store, out, filters=Filter(exclude_flags=exclude), options=ExportOptions(format="jsonl"))
    lines = (out / "traces.jsonl").read_text().splitlines()
    return {json.loads(line)["metadata"]["trace"] for line in lines}


def test_an_export_leaves_out_flagged_traces_and_records_that_it_did(
    builder: StoreBuilder, tmp_path: Path
) -> None:
    good = builder.play(0, [NEAR])
    loop = builder.play(1, [LOOP + NEAR])
    island = builder.play(2, [WHOLE, answer(0.0, 0.0)])
    audit(builder.store)
    store = builder.store
    assert exported(store, tmp_path / "all") == {good, loop, island}
    assert exported(store, tmp_path / "a", "repeated_text") == {good, island}
    assert exported(store, tmp_path / "b", "null_island", "no_op_call") == {good, loop}
    assert exported(store, tmp_path / "c", "null_island", "repeated_text") == {good}
    # The order and a repetition of options decide nothing.
    flags_of_c = ("repeated_text", "null_island", "repeated_text")
    assert exported(store, tmp_path / "d", *flags_of_c) == {good}
    c, d = ((tmp_path / name / "manifest.json").read_bytes() for name in "cd")
    assert c == d
    assert json.loads(c)["filter"]["exclude_flags"] == ["null_island", "repeated_text"]
    last = store.db.connection.execute("select options from exports order by id desc").fetchone()
    assert json.loads(last["options"])["filter"] == json.loads(c)["filter"]


def test_a_flag_that_no_check_has_is_an_error_that_names_those_there_are(
    builder: StoreBuilder, tmp_path: Path
) -> None:
    builder.play(0, [NEAR])
    with pytest.raises(FilterError, match=r"no check 'loops'; there are .*repeated_text"):
        exported(builder.store, tmp_path / "out", "loops")
    assert not (tmp_path / "out").exists()


def test_what_nobody_checked_does_not_pass_for_clean(builder: StoreBuilder, tmp_path: Path) -> None:
    builder.play(0, [NEAR])
    audit(builder.store)
    builder.play(1, [LOOP + NEAR])
    refusal = r"1 of the traces were not audited for repeated_text .* geostore audit first"
    with pytest.raises(ExportError, match=refusal):
        exported(builder.store, tmp_path / "out", "repeated_text")
    assert not (tmp_path / "out").exists()
    assert len(exported(builder.store, tmp_path / "out")) == 2, "no flag, no audit"
    # Only what is selected has to be audited.
    near = Filter(max_distance_km=100.0, exclude_flags=("repeated_text",))
    assert export(builder.store, tmp_path / "near", filters=near).count == 1
    audit(builder.store)
    assert len(exported(builder.store, tmp_path / "out", "repeated_text")) == 1


def test_an_older_version_of_a_check_is_no_audit(builder: StoreBuilder, tmp_path: Path) -> None:
    builder.play(0, [NEAR])
    older = {**CHECKS, "truncated": replace(CHECKS["truncated"], version=0)}
    run_checks(builder.store, older)
    assert exported(builder.store, tmp_path / "a", "repeated_text")
    with pytest.raises(ExportError, match="not audited for truncated"):
        exported(builder.store, tmp_path / "b", "truncated")


# --- the command and the queries ------------------------------------------------------------


def test_the_command_audits_and_tells(photos: Path, tmp_path: Path) -> None:
    path = tmp_path / "geostore.db"
    with Store.open(path, create=True, durability="normal") as store:
        builder = StoreBuilder(store, photos)
        builder.play(0, [NEAR])
        loop = builder.play(1, [LOOP + NEAR])
    assert geostore("audit", "--list").stdout.strip() == format_checks(100)
    first = geostore("audit", "--store", path)
    assert first.returncode == 0
    assert first.stderr.strip() == "audited 2 traces now, 2 in all"
    (line,) = (line for line in first.stdout.splitlines() if line.startswith("repeated_text"))
    assert line.split() == ["repeated_text", "1", "0.50", loop]
    again = geostore("audit", "--json", "--store", path)
    assert again.stderr.strip() == "audited 0 traces now, 2 in all"
    told = json.loads(again.stdout)
    assert (told["audited"], told["newly_audited"]) == (2, 0)
    assert [check["check"] for check in told["checks"]] == sorted(VERSIONS)
    by_name = {check["check"]: check for check in told["checks"]}
    assert by_name["repeated_text"] == {
        "check": "repeated_text",
        "version": 1,
        "traces": 1,
        "share": 0.5,
        "examples": [loop],
    }
    options = ("--exclude-flag", "repeated_text", "--exclude-flag", "truncated")
    wrote = geostore("export", tmp_path / "out", "--store", path, *options)
    assert wrote.stdout.startswith("wrote 1 trace ")


def test_the_list_says_what_every_check_means() -> None:
    listed = format_checks()
    page = (Path(__file__).parents[2] / "docs" / "audit.md").read_text(encoding="utf-8")
    for name, check in CHECKS.items():
        assert f"{name}\n  {check.meaning}" in listed
        assert f"- **{name}**: " in page


def test_flags_can_be_asked_for_in_sql_and_stand_in_the_stats(
    builder: StoreBuilder, tmp_path: Path
) -> None:
    builder.play(0, [NEAR])
    loop = builder.play(1, [LOOP + NEAR])
    audit(builder.store)
    builder.play(2, [NEAR], recipe=TOOLLESS_RECIPE)
    builder.store.close()
    path = tmp_path / "copy.db"
    shutil.copy(builder.store.path, path)
    flagged = run_query(path, "flagged_traces").rows
    assert [row[:3] for row in flagged] == [("repeated_text", loop, "test-text")]
    for flag, count in (("repeated_text", 1), ("no_such_check", 0)):
        named = run_query(path, "flagged_traces", parameters={"flag": flag}).rows
        assert named == flagged[:count]
    (row,) = run_query(path, "flags").to_dicts()
    assert (row["flag"], row["traces"], row["audited"]) == ("repeated_text", 1, 2)
    assert row["share"] == 0.5
    assert (row["share_low"], row["share_high"]) == pytest.approx(wilson(1, 2))
    counted = run_query(path, "audited")
    assert sorted(row[2:] for row in counted.rows) == [(1, 0, 1, 0), (2, 2, 0, 1)]
    found = stats(path)
    assert (found.store.flags, found.store.not_audited) == ({"repeated_text": 1}, 1)
    assert "flagged traces, all: repeated_text 1" in format_text(found)


def test_a_store_without_traces_can_be_audited(store: Store) -> None:
    result = audit(store)
    assert (result.newly_audited, result.audited) == (0, 0)
    assert set(result.flags) == set(CHECKS)
