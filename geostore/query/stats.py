"""The whole batch at a glance: what was asked, how it ended, how good it is, what it cost.

Every mean that could hide failures is given both ways: with failures left out,
and with each counted as 20,000 km and score 0.
"""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from geostore.query.reader import ask, one_moment, open_reader
from geostore.text.phrases import format_cost
from geostore.text.tables import QueryResult, format_turned

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_NAMES = ("recipe", "model", "with_tools")
_CLASSES: Mapping[str, str] = MappingProxyType(
    {"answer_failures": "answer", "request_failures": "request"}
)
_BELOW = frozenset({*_CLASSES, "flags", "frame_alarms"})
"""What is said in lines of their own below the numbers."""


def stats(store: str | os.PathLike[str], reward: str | None = None) -> dict[str, Any]:
    """``{"store": numbers, "recipes": [numbers, ...]}``, of one moment of the store.

    Numbers are the columns of ``sql/analytics/stats.sql`` (km, tokens, shares of
    0..1, costs in the prices' currency; None where there is nothing to take a
    mean of, and for costs where no model has a price), and of each recipe its
    name; `answer_failures` and `request_failures` count by class, `flags` traces by
    check of an audit. not_audited: closed traces that no audit has seen. odd_boxes:
    boxes that look like another frame; frame_alarms: recipes in which they are many
    (`sql/analytics/frame_alarm.sql`), with that frame. reward: the sha256 of the
    spec whose scores count, None for the store's default. Raises StoreError where
    there is no such store.
    """
    with open_reader(store, reward=reward) as reader:
        return ask_stats(reader)


def ask_stats(reader: DuckDBPyConnection) -> dict[str, Any]:
    """`stats` through a reader that is open."""
    with one_moment(reader):  # so that a generate beside this cannot make the two disagree
        numbers = _objects(ask(reader, "stats"))
        failures = _objects(ask(reader, "failures"))
        flags = _objects(ask(reader, "flags"))
        audited = _objects(ask(reader, "audited"))
        frames = _objects(ask(reader, "frame_alarm"))
    whole, *recipes = numbers
    for name in _NAMES:
        del whole[name]
    for part in (whole, *recipes):
        recipe = part.get("recipe")  # None for the store: of all recipes
        for title, kind in _CLASSES.items():
            of_kind = [failure for failure in failures if failure["kind"] == kind]
            part[title] = _counted(_of(of_kind, recipe), "class", "failures")
        part["flags"] = _counted(_of(flags, recipe), "flag", "traces")
        part["not_audited"] = sum(row["not_audited"] for row in _of(audited, recipe))
        boxes = _of(frames, recipe)
        part["odd_boxes"] = sum(row["odd"] for row in boxes)
        part["frame_alarms"] = {row["recipe"]: row["looks_like"] for row in boxes if row["alarm"]}
    return {"store": whole, "recipes": recipes}


def format_text(found: dict[str, Any]) -> str:
    """A line for each number, with a column for the store and one for each recipe."""
    parts = [{"recipe": "all", **found["store"]}, *found["recipes"]]
    names = [*_NAMES, *(n for n in found["store"] if n not in _BELOW)]
    table = QueryResult(
        tuple(names), [tuple(_shown(n, part.get(n)) for n in names) for part in parts]
    )
    lines = [format_turned(table)]
    for part in parts:
        for title, kind in _CLASSES.items():
            if part[title]:
                counts = ", ".join(f"{name} {count:,}" for name, count in part[title].items())
                lines.append(f"{kind} failures, {part['recipe']}: {counts}")
        if part["flags"]:
            counts = ", ".join(f"{name} {count:,}" for name, count in part["flags"].items())
            lines.append(f"flagged traces, {part['recipe']}: {counts}")
    for recipe, frame in found["store"]["frame_alarms"].items():
        lines.append(
            f"boxes of recipe {recipe} look like another frame ({frame}); "
            "see geostore query frame_alarm"
        )
    return "\n".join(lines)


def format_json(found: dict[str, Any]) -> str:
    """The same as indented JSON."""
    return json.dumps(found, indent=2, ensure_ascii=False)


def _shown(name: str, value: Any) -> Any:
    # What a trace costs is a small fraction of what the store does, in the same units.
    return format_cost(value) if name.startswith("cost") and value is not None else value


def _of(rows: list[dict[str, Any]], recipe: str | None) -> list[dict[str, Any]]:
    return [row for row in rows if recipe is None or row["recipe"] == recipe]


def _counted(rows: list[dict[str, Any]], name: str, count: str) -> dict[str, int]:
    """Counts by name over all recipes, the greatest first."""
    counts: Counter[str] = Counter()
    for row in rows:
        counts[row[name]] += row[count]
    return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))


def _objects(result: QueryResult) -> list[dict[str, Any]]:
    return [dict(zip(result.columns, row, strict=True)) for row in result.rows]
