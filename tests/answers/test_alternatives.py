"""A place that is named as an alternative is not the answer; a list without a choice is none."""

import json
import random

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from geostore.answers import parse_answer

MAIN = '"lat": 45.76, "lon": 4.84, "country": "France"'
OTHER = '{"lat": 46.2, "lon": 6.14, "country": "Switzerland"}'
THIRD = '{"lat": 45.07, "lon": 7.68, "country": "Italy"}'


@pytest.mark.parametrize(
    "response",
    [
        f'{{{MAIN}, "alternatives": [{OTHER}]}}',
        f'{{{MAIN}, "alternatives": [{OTHER}, {THIRD}]}}',
        f'{{"alternatives": [{OTHER}], {MAIN}}}',
        f'{{{MAIN}, "runner_up": {OTHER}}}',
        f'{{{MAIN}, "second_guess": {{"place": {OTHER}}}}}',
        f'<answer>{{{MAIN}, "alternatives": [{OTHER}]}}</answer>',
        f'{{{MAIN}, "alternatives": [{{"lat": 46.2, "lon": 6.1',
        f"{OTHER}\nNo, the plates are French.\n{{{MAIN}}}",
        "Lyon (45.76, 4.84).\nAlternative: Geneva (46.2, 6.14)",
        "Lyon (45.76, 4.84).\n**Second guess:** Geneva (46.2, 6.14).",
        "Latitude: 45.76\nLongitude: 4.84\nAlternative (20%): 46.2° N, 6.14° E",
        "Lyon, 45.76° N, 4.84° E.\nRunner-up: Geneva, 46.2° N, 6.14° E",
        "Alternatives: Geneva (46.2, 6.14)\nFinal: Lyon (45.76, 4.84)",
    ],
)
def test_an_alternative_is_not_the_answer(response: str) -> None:
    answer = parse_answer(response)
    assert (answer.lat, answer.lon, answer.failure) == (45.76, 4.84, None)


@pytest.mark.parametrize("key", ["candidates", "predictions", "top_3"])
def test_an_array_of_several_places_is_ambiguous(key: str) -> None:
    places = f'{{"{key}": [{{{MAIN}}}, {OTHER}, {THIRD}]}}'
    assert parse_answer(places).failure == "ambiguous"
    assert parse_answer(f"[{{{MAIN}}}, {OTHER}]").failure == "ambiguous"
    chosen = parse_answer(f"{places}\n\\boxed{{45.76, 4.84}}")
    assert (chosen.lat, chosen.lon) == (45.76, 4.84)


def test_an_array_of_one_place_is_an_answer() -> None:
    for places in (f"[{{{MAIN}}}]", f"[{{{MAIN}}}, {{{MAIN}}}]"):
        answer = parse_answer(f'{{"predictions": {places}}}')
        assert (answer.lat, answer.lon) == (45.76, 4.84)


def test_a_numbered_list_of_places_without_a_choice_is_ambiguous() -> None:
    places = "1. Lyon (45.76, 4.84)\n2. Geneva (46.2, 6.14)\n3. Turin (45.07, 7.68)"
    assert parse_answer(places).failure == "ambiguous"
    chosen = parse_answer(f"{places}\nI choose the first: (45.76, 4.84)")
    assert (chosen.lat, chosen.lon) == (45.76, 4.84)
    steps = "1. The plates are French.\n2. The river is the Rhone.\n3. Lyon (45.76, 4.84)"
    assert parse_answer(steps).lat == 45.76


# --- ranks ---------------------------------------------------------------------------------------

degrees = st.integers(-89_000, 89_000).map(lambda milli: milli / 1000)


@given(
    places=st.lists(st.tuples(degrees, degrees), min_size=2, max_size=6, unique=True),
    order=st.randoms(use_true_random=False),
    frame=st.sampled_from(
        ["[{}]", '{{"top": [{}]}}', "```json\n[{}]\n```", "<answer>[{}]</answer>", "{}"]
    ),
    note=st.sampled_from(["", "a sign", "the {roof}", 'a "sign" [sic]', "it's here"]),
)
def test_of_ranked_places_the_first_ranked_is_read_in_whatever_order_they_stand(
    places: list[tuple[float, float]], order: random.Random, frame: str, note: str
) -> None:
    entries = [
        json.dumps({"rank": rank, "lat": lat, "lon": lon, "note": note})
        for rank, (lat, lon) in enumerate(places, 1)
    ]
    order.shuffle(entries)
    answer = parse_answer(frame.format((", " if "[" in frame else "\n").join(entries)))
    assert (answer.lat, answer.lon) == places[0]


@given(
    places=st.lists(st.tuples(degrees, degrees), min_size=2, max_size=6, unique=True),
    ranks=st.lists(st.integers(0, 4), min_size=6, max_size=6),
)
def test_ranks_that_do_not_say_which_is_the_first_choose_no_place(
    places: list[tuple[float, float]], ranks: list[int]
) -> None:
    ranks = ranks[: len(places)]
    assume(sorted(ranks) != list(range(1, len(places) + 1)))
    assume(len({place[0] for place in places}) == len(places))
    entries = [
        json.dumps({"rank": rank, "lat": lat, "lon": lon})
        for rank, (lat, lon) in zip(ranks, places, strict=True)
    ]
    assert parse_answer(f"[{', '.join(entries)}]").failure == "ambiguous"
