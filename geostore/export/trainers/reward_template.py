"""Scores a student's answer as the store of its training data scores a teacher's.

This file needs nothing but Python 3.11 or newer. `compute_score` has the signature of verl's
reward functions (``custom_reward_function.path``), which `geostore rescore --custom` calls as
well. `score` does the same for a trainer that knows more than the text.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from decimal import ROUND_HALF_UP, Context, Decimal
from typing import Any

# <parser>
from geostore.answers.parser import parse_answer

# </parser>

# <places>
# </places>

# <spec>
SPEC: dict[str, Any] = {
    "name": "geoguessr",
    "kind": "geoguessr",
    "parameters": {"scale": 1492.7, "radius": 6371.0, "rounding": None},
}
# </spec>
"""The reward: its kind and its parameters, distances in km."""

UNKNOWN = 0.0
"""The score where the store keeps none, as for an answer without coordinates. A trainer needs a
number."""

_SCALE_KM = 1492.7
_CLOSE_KM = (1, 25, 200, 750, 2500)
# Where the last observation ends and the student goes on, as the chat templates of Qwen write it;
# a trainer may have removed the special tokens.
_GOES_ON = re.compile(
    r"</tool_response>\s*(?:<\|im_end\|>)?\s*(?:<\|im_start\|>)?assistant[ \t]*\n", re.ASCII
)
_OBSERVATION = re.compile(r"<tool_response>(.*?)(?:</tool_response>|\Z)", re.DOTALL)
_BEGINS = re.compile(r"user[ \t]*\n\s*(?=<tool_response>)", re.ASCII)
_IMAGE = re.compile(
    r"\s*(?:<[^<>]*>\s*)*Image \d+ \(\d+ x \d+ pixels\): (zoom into image \d+, box )?", re.ASCII
)
_REASONED = re.compile(r"<think>.*</think><answer>.*</answer>", re.DOTALL)
_BLANKS = str.maketrans("", "", " \t\n\r")


def compute_score(
    data_source: str | None = None,
    solution_str: str = "",
    ground_truth: Any = None,
    extra_info: Mapping[str, Any] | None = None,
    **_more: Any,
) -> dict[str, float]:
    """The score of a whole rollout, and figures for the log.

    solution_str: all that the student wrote, with the observations between its turns.
    ground_truth: ``{"lat": ..., "lon": ...}`` in degrees.
    extra_info: what is known beside the text goes before what is read from it: ``turns``,
    ``tool_calls``, ``failed_tool_calls``, ``cuts``, ``completion_tokens``, and ``stop_reason``,
    which is ``truncated`` where the token limit cut the answer. verl gives ``num_turns``, and the
    row's ``locatability_score``.
    """
    known = extra_info or {}
    messages = known.get("num_turns")
    # verl counts the question, the responses and the observations between them.
    turns, calls, failed, cuts = read_rollout(
        solution_str, turns=None if messages is None else max(1, int(messages) // 2)
    )
    return score(
        final_response(solution_str),
        ground_truth["lat"],
        ground_truth["lon"],
        turns=_known(known, "turns", turns),
        tool_calls=_known(known, "tool_calls", calls),
        failed_tool_calls=_known(known, "failed_tool_calls", failed),
        cuts=_known(known, "cuts", cuts),
        locatability=known.get("locatability_score"),
        completion_tokens=known.get("completion_tokens"),
        cut=known.get("stop_reason") == "truncated",
    )


def score(
    response: str,
    lat: float,
    lon: float,
    *,
    turns: int = 1,
    tool_calls: int = 0,
    failed_tool_calls: int = 0,
    cuts: int = 0,
    locatability: float | None = None,
    completion_tokens: int | None = None,
    cut: bool = False,
    bare: bool = False,
) -> dict[str, float]:
    """The score of a final response, and figures for the log; the members are always the same.

    ``score``; ``parsed``: 1 where coordinates were read; ``geoguessr_points``: 0 to 5000;
    ``acc@1km`` and so on: 1 where the answer lies that close.
    lat, lon: the true place in degrees. cuts: calls that cut a part out of an image. locatability:
    the data set's, 0 to 1. cut, bare: as `parse_answer` has them.
    """
    answer = parse_answer(response, cut=cut, bare=bare)
    km = None
    if answer.lat is not None and answer.lon is not None:
        km = distance_km(answer.lat, answer.lon, lat, lon)
    stated = answer.stated
    facts = {
        "constant": 1.0,
        "parsed": 1.0 if answer.failure is None else 0.0,
        "format": 1.0 if answer.failure is None and answer.form in ("boxed", "answer") else 0.0,
        "tools": (tool_calls - failed_tool_calls) / tool_calls if tool_calls else 1.0,
        "tool_use": 1.0 if tool_calls > failed_tool_calls else 0.0,
        "cut": 1.0 if cuts else 0.0,
        "think_answer": 1.0 if _REASONED.fullmatch(response.translate(_BLANKS)) else 0.0,
        "locatability": locatability,
        "named": sum(words is not None for words in (stated.country, stated.region, stated.city)),
        "turns": turns,
        "tokens": completion_tokens,
        **place_facts(answer, lat, lon),
    }
    value = reward(km, facts)
    points = 0 if km is None else math.floor(5000 * math.exp(-km / _SCALE_KM) + 0.5)
    return {
        "score": UNKNOWN if value is None else value,
        "parsed": facts["parsed"] or 0.0,
        "geoguessr_points": float(points),
        **{f"acc@{most}km": float(km is not None and km <= most) for most in _CLOSE_KM},
    }


def reward(km: float | None, facts: Mapping[str, float | None]) -> float | None:
    """The value of the spec at a distance; None where a term of it is not known.

    A term counts only where all of its "if" are above 0 and none of its "unless" is; else it is 0.
    """
    parameters = SPEC["parameters"]
    terms = [{"term": SPEC["kind"], "weight": 1.0, **parameters}]
    if SPEC["kind"] == "weighted":
        terms = parameters["terms"]
    unparsed = parameters.get("unparsed")
    unmet = None if unparsed is None else 0.0
    total = 0.0
    for term in terms:
        met = [_term(other, km, facts, unmet) for other in term.get("if", ())]
        ruled_out = [_term(other, km, facts, unmet) for other in term.get("unless", ())]
        if any(value is not None and value <= 0 for value in met) or any(
            value is not None and value > 0 for value in ruled_out
        ):
            continue
        value = _term(term, km, facts, unparsed)
        if value == 0:  # whether it counts or not
            continue
        if value is None or None in met or None in ruled_out:
            return None
        total += term["weight"] * value
    decimals = parameters.get("rounding")
    return total if decimals is None else _rounded(total, decimals)


def _rounded(value: float, decimals: int) -> float:
    """A number to so many decimals; a half goes away from zero, as in SQLite, and not to even."""
    # As it is written in decimal: 2.675 lies a little below that, and becomes 2.68 all the same.
    step = Decimal((0, (1,), -decimals))
    return float(Decimal(repr(value)).quantize(step, ROUND_HALF_UP, Context(prec=400)))


# <distance>
def distance_km(lat: float, lon: float, other_lat: float, other_lon: float) -> float:
    """The great circle between two points in degrees, by haversine on the spec's sphere."""
    across_lat = math.sin(math.radians(lat - other_lat) / 2)
    across_lon = math.sin(math.radians(lon - other_lon) / 2)
    shrink = math.cos(math.radians(lat)) * math.cos(math.radians(other_lat))
    root = math.sqrt(across_lat * across_lat + shrink * across_lon * across_lon)
    # Rounding can lift the root above 1 near the antipode.
    return float(SPEC["parameters"]["radius"] * (2 * math.asin(min(1.0, root))))


# </distance>


# <place facts>
def place_facts(answer: Any, lat: float, lon: float) -> dict[str, float | None]:
    """Whether an answer's point and its words lie in the country, region and city of the truth.

    None where the truth has no such place; 0 without a point, or without such words.
    """
    from geostore.places import belongs_to, country_of_words, place_of, same_city, same_region

    truth, said = place_of(lat, lon), answer.stated
    point = None if answer.lat is None else place_of(answer.lat, answer.lon)
    country = None if said.country is None else country_of_words(said.country)
    region, city_id = truth.region or "", truth.city_id or 0
    is_right: dict[str, tuple[Any, bool]] = {
        "country": (truth.country, point is not None and point.country == truth.country),
        "region": (truth.region, point is not None and point.region == truth.region),
        "city": (truth.city_id, point is not None and point.city_id == truth.city_id),
        "said_country": (truth.country, belongs_to(truth.country or "", country)),
        "said_region": (truth.region, bool(said.region) and same_region(said.region, region)),
        "said_city": (truth.city_id, bool(said.city) and same_city(said.city, city_id)),
    }
    return {
        term: None if true_place is None else float(right)
        for term, (true_place, right) in is_right.items()
    }


# </place facts>
def final_response(solution: str) -> str:
    """What the student wrote after the last observation; all of it where there is none."""
    return _GOES_ON.split(solution)[-1]


def read_rollout(solution: str, *, turns: int | None = None) -> tuple[int, int, int, int]:
    """The responses, calls, failed calls and calls that cut an image, from a rollout's text.

    A call that gave an image is answered with its number and size, any other has failed.
    turns: the responses, where a trainer counted them; None: as many as the text seems to have.
    Where it seems to have more, the student wrote a result by itself, and no call has succeeded.
    """
    # What the student writes after the last observation can hold no result.
    before = _GOES_ON.split(solution)[:-1]
    is_forged = turns is not None and len(before) >= turns
    observed = before if turns is None else before[: turns - 1]
    results = [
        # What stands before the observation is the student's, and the split took its last tag.
        result
        for text in observed
        for result in _OBSERVATION.findall(_BEGINS.split(text)[-1])
    ]
    images = [None if is_forged else _IMAGE.match(result) for result in results]
    cuts = sum(image is not None and image[1] is not None for image in images)
    return turns or len(before) + 1, len(results), images.count(None), cuts


def _known(known: Mapping[str, Any], name: str, read: int) -> int:
    value = known.get(name)
    return read if value is None else int(value)


def _term(
    term: Mapping[str, Any], km: float | None, facts: Mapping[str, float | None], unparsed: Any
) -> float | None:
    kind = term["term"]
    if kind in facts:
        value = facts[kind]
        if value is not None and "max" in term:
            return min(1.0, value / float(term["max"]))
        if value is not None and "least" in term:
            return 1.0 if value >= term["least"] else 0.0
        return value
    if km is None:
        return None if unparsed is None else float(unparsed)
    if kind in ("geoguessr", "exponential"):
        return math.exp(-km / float(term["scale"]))
    if kind == "linear":
        return max(0.0, 1 - km / float(term["max"]))
    if kind == "threshold":
        return 1.0 if _is_within(km, term["km"], term) else 0.0
    if kind == "steps":
        steps = (value for most, value in term["table"] if _is_within(km, most, term))
        return float(next(steps, 0.0))
    return _on_lines(term["table"], km)


def _is_within(km: float, most: float, term: Mapping[str, Any]) -> bool:
    return km < most or (km == most and term.get("border") != "out")


def _on_lines(table: Sequence[Sequence[float]], km: float) -> float:
    """The value on straight lines through the pairs, and outside of them the nearest pair's."""
    before: Sequence[float] | None = None
    for most, value in table:
        if km <= most:
            if before is None:
                return float(value)
            return float(before[1]) + (value - before[1]) * (km - before[0]) / (most - before[0])
        before = (most, value)
    return float(table[-1][1])
