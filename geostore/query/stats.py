"""The whole batch at a glance: what was asked, how it ended, how good it is, what it cost.

Every mean that could hide failures is given both ways: with failures left out,
and with each counted as 20,000 km, and as score 0 unless the reward gives it a score of its own.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from geostore.one_line import OneLine
from geostore.query.reader import ask, one_moment, open_reader
from geostore.query.thresholds import format_km
from geostore.query.unplaced import unplaced_line
from geostore.text.json_lines import json_text
from geostore.text.phrases import format_counts
from geostore.text.tables import QueryResult, format_table, format_transposed

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_BELOW_THE_TABLE: Mapping[str, str] = MappingProxyType(
    {
        "answer_failures": "answer failures",
        "request_failures": "request failures",
        "flags": "flagged traces",
    }
)
"""Counts by name, which stand in lines of their own; each with the words of its line."""

_NO_NUMBERS = (*_BELOW_THE_TABLE, "frame_alarms", "accuracy_intervals", "distances")

_PLACES = ("country", "region", "city")


@dataclass(frozen=True, slots=True, repr=False)
class DistanceBin(OneLine):
    """How many answers are so far from the truth."""

    from_km: float
    """Its lower bound in km, which it holds."""
    to_km: float
    """Its upper bound in km, which it does not hold: 1.778 times the lower one, after 0.1 km."""
    answers: int
    """At least 1."""


@dataclass(frozen=True, slots=True, repr=False)
class TraceSums(OneLine):
    """What the traces of a store, or of one recipe, add up to.

    Rates and distances are of closed traces; turns, calls and tokens of all. A rate
    is a share from 0 to 1. `sql/analytics/stats.sql` computes all but the last seven.
    """

    traces: int
    """All traces."""
    open: int
    """Traces that are not closed yet."""
    answered: int
    """Closed traces in which the teacher came to an answer."""
    exhausted: int
    """Closed traces without one: out of turns, or a response that was cut off or filtered."""
    failed: int
    """Closed traces without a final response, because requests failed."""
    parse_success_rate: float | None
    """Share of the closed traces with coordinates; None without a closed trace."""
    failures: int
    """Closed traces without coordinates."""
    unscored: int
    """Traces with coordinates and without a current reward; geostore rescore computes it."""
    mean_km: float | None
    """Mean distance in km, failures left out; None without any distance."""
    median_km: float | None
    """Median distance in km, failures left out; None without any distance."""
    mean_km_failures_20000: float | None
    """Mean distance with each failure as 20,000 km; None without a closed trace that counts."""
    median_km_failures_20000: float | None
    """Median distance with each failure as 20,000 km; None as before."""
    mean_score: float | None
    """Mean score, failures left out unless the reward scores them; None without any score."""
    mean_score_failures_0: float | None
    """Mean score with each failure as 0; None without a closed trace that counts."""
    mean_geoguessr_points: float | None
    """Mean points, from 0 to 5000, failures left out; None without any."""
    under_3_km: float | None
    """Share of the traces less than 3 km off; a failure is a miss, None without one that counts."""
    under_3_km_parsed: float | None
    """The same with failures left out; None without any distance."""
    acc_km: Mapping[float, float | None]
    """For each distance in km: the share of the traces within it; a failure is a miss."""
    acc_km_parsed: Mapping[float, float | None]
    """The same with failures left out; None without any distance."""
    accuracy_intervals: Mapping[str, tuple[float, float]]
    """Of each share of `acc_km` and of the places, its 95 % interval (Wilson), by names such as
    ``25 km`` and ``city``; without those that are None."""
    placed: int
    """Closed traces that count in `country_acc`: the true place is known, and the answer's too."""
    unplaced: int
    """Closed traces of which a place is not computed yet; geostore rescore computes it."""
    country_acc: float | None
    """Share of the answers in the true country; a failure is a miss, None where nothing counts."""
    country_acc_parsed: float | None
    """The same with failures left out; None without an answer that counts."""
    region_acc: float | None
    """Share of the answers in the true region, the first level below a country; like countries."""
    region_acc_parsed: float | None
    """The same with failures left out."""
    city_acc: float | None
    """Share of the answers whose nearest city is that of the truth; like countries."""
    city_acc_parsed: float | None
    """The same with failures left out."""
    turns: int
    """Responses of the teacher."""
    mean_turns: float | None
    """Responses per trace; None without a trace."""
    max_turns: int | None
    """The most responses of one trace; None without a trace."""
    tool_calls: int
    """Tool calls, those without a result too."""
    tool_success_rate: float | None
    """Share of the tool calls that gave a result; None without a call."""
    prompt_tokens: int | None
    """Tokens sent; None where the server reported none."""
    cached_tokens: int | None
    """The part of them that the server had cached; None where it reported none."""
    cache_write_tokens: int | None
    """The part of them that the server wrote to its cache; None where it reported none."""
    completion_tokens: int | None
    """Tokens received, reasoning included; None where the server reported none."""
    total_tokens: int | None
    """Both; None where the server reported none."""
    mean_tokens: float | None
    """Tokens per trace whose tokens are known; None without any."""
    estimated_tokens: int
    """Beside those: a guess from the size of text and images, where the server did not count."""
    uncounted_turns: int
    """Turns whose prompt or completion the server did not count."""
    cost: float | None
    """Of all turns and billed failures, in the prices' currency; None where there is no price."""
    cost_per_trace: float | None
    """For each closed trace of the models that have a price; None without any."""
    cost_per_accepted_trace: float | None
    """For each of them with a score of at least 0.3; None without any."""
    stated_cost: float | None
    """What the server itself says that it charged, in its own currency; None where it never did."""
    unpriced_turns: int
    """Turns that are not in the cost in full: no price, or no count of their tokens."""
    answer_failures: Mapping[str, int]
    """Final responses without coordinates, by class, the most first."""
    request_failures: Mapping[str, int]
    """Failed requests by class, the most first; one that was sent again with success counts too."""
    flags: Mapping[str, int]
    """Traces that an audit flagged, by check, the most first."""
    not_audited: int
    """Closed traces that no audit has looked at."""
    odd_boxes: int
    """Boxes of tool calls that look like another frame than the recipe's."""
    frame_alarms: Mapping[str, str]
    """Recipes with many odd boxes (`sql/analytics/frame_alarm.sql`), each with the likely frame."""
    distances: tuple[DistanceBin, ...]
    """How the distances are spread: bins with an answer, the nearest first; failures left out."""


@dataclass(frozen=True, slots=True, repr=False)
class RecipeStats(OneLine):
    """One recipe and what its traces add up to."""

    recipe: str
    """The first 8 hex digits of its hash."""
    model: str | None
    """None where its traces were imported and their files do not name it."""
    with_tools: bool | None
    """Whether it offers any tool; None where an import does not say."""
    sums: TraceSums
    """Of its traces."""


@dataclass(frozen=True, slots=True, repr=False)
class StoreStats(OneLine):
    """A store in numbers, all of one moment."""

    store: TraceSums
    """Of all traces."""
    recipes: tuple[RecipeStats, ...]
    """By model, those with tools first, then by hash."""

    def to_json(self) -> dict[str, Any]:
        """``{"store": sums, "recipes": [recipe, model, with_tools and sums, ...]}``."""
        return {
            "store": _members(self.store),
            "recipes": [
                {
                    "recipe": part.recipe,
                    "model": part.model,
                    "with_tools": part.with_tools,
                    **_members(part.sums),
                }
                for part in self.recipes
            ],
        }


def stats(
    store: str | os.PathLike[str], reward: str | None = None, km: Iterable[float] | None = None
) -> StoreStats:
    """The numbers of a store, and of each of its recipes.

    reward: the sha256 of the spec whose scores count, None for the store's default. km: the
    distances of accuracy; None: `thresholds.USUAL_KM`. Raises StoreError where there is no such
    store, and QueryError for a bad distance.
    """
    with open_reader(store, reward=reward, km=km) as reader:
        return ask_stats(reader)


def ask_stats(reader: DuckDBPyConnection) -> StoreStats:
    """`stats` through a reader that is open."""
    with one_moment(reader):  # so that a generate beside this cannot make the answers disagree
        whole, *recipes = map(_sums, ask(reader, "stats").to_dicts())
        beside = _Beside(
            failures=ask(reader, "failures").to_dicts(),
            flags=ask(reader, "flags").to_dicts(),
            audited=ask(reader, "audited").to_dicts(),
            frames=ask(reader, "frame_alarm").to_dicts(),
            bins=ask(reader, "distances_by_recipe").to_dicts(),
        )
    for name in ("recipe", "model", "with_tools"):
        del whole[name]
    return StoreStats(
        store=TraceSums(**whole, **beside.sums_of(None)),
        recipes=tuple(
            RecipeStats(
                recipe := row.pop("recipe"),
                row.pop("model"),
                row.pop("with_tools"),
                TraceSums(**row, **beside.sums_of(recipe)),
            )
            for row in recipes
        ),
    )


@dataclass(frozen=True, slots=True)
class _Beside:
    """Rows of the queries whose counts stand beside those of `stats`."""

    failures: Sequence[Mapping[str, Any]]
    flags: Sequence[Mapping[str, Any]]
    audited: Sequence[Mapping[str, Any]]
    frames: Sequence[Mapping[str, Any]]
    bins: Sequence[Mapping[str, Any]]

    def sums_of(self, recipe: str | None) -> dict[str, Any]:
        """The last seven members of `TraceSums`; recipe None: over all of them."""
        failures = _of(self.failures, recipe)
        frames = _of(self.frames, recipe)
        return {
            "answer_failures": _counted(
                [row for row in failures if row["kind"] == "answer"], "class", "failures"
            ),
            "request_failures": _counted(
                [row for row in failures if row["kind"] == "request"], "class", "failures"
            ),
            "flags": _counted(_of(self.flags, recipe), "flag", "traces"),
            "not_audited": sum(row["not_audited"] for row in _of(self.audited, recipe)),
            "odd_boxes": sum(row["odd"] for row in frames),
            "frame_alarms": {row["recipe"]: row["looks_like"] for row in frames if row["alarm"]},
            "distances": tuple(
                DistanceBin(row["from_km"], row["to_km"], row["answers"])
                for row in self.bins
                if row["recipe"] == recipe and row["to_km"] is not None
            ),
        }


def format_text(numbers: StoreStats) -> str:
    """The recipes, then a line for each number: a column for the store and one for each recipe.

    A number that is known nowhere, such as a cost without prices, has no line.
    """
    document = numbers.to_json()
    parts = [{"recipe": "all", **document["store"]}, *document["recipes"]]
    # A model's name would make the columns of numbers wide, so it is said once, above them.
    heads = ("recipe", "model", "with_tools")
    recipes = QueryResult(heads, [tuple(part[n] for n in heads) for part in parts[1:]])
    names = ["recipe", *(n for n in document["store"] if n not in _NO_NUMBERS)]
    names = [name for name in names if any(part[name] is not None for part in parts)]
    sums = QueryResult(tuple(names), [tuple(part[n] for n in names) for part in parts])
    lines = [format_table(recipes, with_count=False), ""] if parts[1:] else []
    lines += [format_transposed(sums), ""]
    for part in parts:
        lines += [
            f"{words}, {part['recipe']}: {format_counts(part[name])}"
            for name, words in _BELOW_THE_TABLE.items()
            if part[name]
        ]
    if (unplaced := unplaced_line(numbers.store.unplaced)) is not None:
        lines.append(unplaced)
    for recipe, frame in numbers.store.frame_alarms.items():
        lines.append(frame_alarm_line(recipe, frame))
    return "\n".join(lines).rstrip()


def frame_alarm_line(recipe: str, frame: str) -> str:
    """That the boxes of a recipe look like those of another frame, in a sentence."""
    return (
        f"boxes of recipe {recipe} look like another frame ({frame}); "
        "see geostore query frame_alarm"
    )


def format_json(numbers: StoreStats) -> str:
    """The same as indented JSON."""
    return json_text(numbers.to_json(), indent=2)


def _sums(row: dict[str, Any]) -> dict[str, Any]:
    """A row of `stats.sql` with its list of accuracies as members of `TraceSums`."""
    accuracies = row.pop("accuracy")
    distances = [part for part in accuracies if part["km"] is not None]
    places = {part["within"]: part for part in accuracies if part["km"] is None}
    sums = {
        **row,
        "acc_km": {part["km"]: part["acc"] for part in distances},
        "acc_km_parsed": {part["km"]: part["acc_parsed"] for part in distances},
        "accuracy_intervals": {
            part["within"] if part["km"] is None else f"{format_km(part['km'])} km": (
                part["low"],
                part["high"],
            )
            for part in accuracies
            if part["low"] is not None
        },
        "placed": places["country"]["traces"] if places else 0,
    }
    for place in _PLACES:
        sums[f"{place}_acc"] = places[place]["acc"] if places else None
        sums[f"{place}_acc_parsed"] = places[place]["acc_parsed"] if places else None
    return sums


def _members(sums: TraceSums) -> dict[str, Any]:
    """Members of JSON, in which each distance has two of its own, such as ``acc_25_km``."""
    members: dict[str, Any] = {}
    for name, value in asdict(sums).items():
        if name == "acc_km":
            for km, share in value.items():
                members[f"acc_{format_km(km)}_km"] = share
                members[f"acc_{format_km(km)}_km_parsed"] = sums.acc_km_parsed[km]
        elif name == "accuracy_intervals":
            members[name] = {within: list(interval) for within, interval in value.items()}
        elif name != "acc_km_parsed":
            members[name] = list(value) if isinstance(value, tuple) else value
    return members


def _of(rows: Sequence[Mapping[str, Any]], recipe: str | None) -> list[Mapping[str, Any]]:
    return [row for row in rows if recipe is None or row["recipe"] == recipe]


def _counted(rows: Sequence[Mapping[str, Any]], name: str, count: str) -> dict[str, int]:
    """Counts by name over all recipes, the greatest first."""
    counts: Counter[str] = Counter()
    for row in rows:
        counts[row[name]] += row[count]
    return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))
