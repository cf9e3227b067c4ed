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
from typing import Any

from geostore.analytics import ask, open_reader
from geostore.phrases import format_cost
from geostore.results import QueryResult, format_turned

_NAMES = ("recipe", "model", "with_tools")
_CLASSES: Mapping[str, str] = MappingProxyType(
    {"answer_failures": "answer", "request_failures": "request"}
)


def stats(store: str | os.PathLike[str]) -> dict[str, Any]:
    """``{"store": numbers, "recipes": [numbers, ...]}``, of one moment of the store.

    Numbers are the columns of ``sql/analytics/stats.sql`` (km, tokens, shares of
    0..1, costs in the prices' currency; None where there is nothing to take a
    mean of, and for costs where no model has a price), and of each recipe its
    name; `answer_failures` and `request_failures` count by class. Raises
    StoreError where there is no such store.
    """
    with open_reader(store) as reader:
        # One transaction, so that a generate beside this cannot make the two disagree.
        reader.execute("begin")
        numbers = _objects(ask(reader, "stats"))
        failures = _objects(ask(reader, "failures"))
    whole, *recipes = numbers
    for name in _NAMES:
        del whole[name]
    for part in (whole, *recipes):
        for title, kind in _CLASSES.items():
            counts: Counter[str] = Counter()
            for failure in failures:
                if failure["kind"] == kind and (
                    part is whole or failure["recipe"] == part["recipe"]
                ):
                    counts[failure["class"]] += failure["failures"]
            part[title] = dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))
    return {"store": whole, "recipes": recipes}


def format_text(found: dict[str, Any]) -> str:
    """A line for each number, with a column for the store and one for each recipe."""
    parts = [{"recipe": "all", **found["store"]}, *found["recipes"]]
    names = [*_NAMES, *(n for n in found["store"] if n not in _CLASSES)]
    table = QueryResult(
        tuple(names), [tuple(_shown(n, part.get(n)) for n in names) for part in parts]
    )
    lines = [format_turned(table)]
    for part in parts:
        for title, kind in _CLASSES.items():
            if part[title]:
                counts = ", ".join(f"{name} {count:,}" for name, count in part[title].items())
                lines.append(f"{kind} failures, {part['recipe']}: {counts}")
    return "\n".join(lines)


def format_json(found: dict[str, Any]) -> str:
    """The same as indented JSON."""
    return json.dumps(found, indent=2, ensure_ascii=False)


def _shown(name: str, value: Any) -> Any:
    # What a trace costs is a small fraction of what the store does, in the same units.
    return format_cost(value) if name.startswith("cost") and value is not None else value


def _objects(result: QueryResult) -> list[dict[str, Any]]:
    return [dict(zip(result.columns, row, strict=True)) for row in result.rows]
