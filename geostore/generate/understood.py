"""What a run has understood, in a few lines before its first request.

Whoever reads a wrong folder, column, recipe or store here ends the run before it has
cost anything.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from geostore.conversation.recipe import recipe_hash, tool_names
from geostore.generate.plan import Plan
from geostore.records import DatasetFacts, Recipe
from geostore.sampling.orders import Draw
from geostore.text.phrases import format_counts, format_number_of

if TYPE_CHECKING:
    from geostore.dataset import PhotoDataset

_MOST_NAMES = 8
"""Names of columns that a line holds; a dataset can have hundreds."""


@dataclass(frozen=True, slots=True)
class PlanCounts:
    """How far the store is with a plan when a run begins."""

    photos: int
    """Samples of the plan."""

    usable: int
    """Rows that can be drawn, as far as the store knows."""

    excluded: dict[str, int]
    """Rows that the store knows not to be usable, by reason."""

    closed: int
    """Traces of the plan that need nothing more."""

    begun: int
    """Traces of the plan that were begun, or that are taken up again."""

    new: int
    """Traces of the plan of which nothing was asked yet."""


def describe(
    counts: PlanCounts,
    *,
    dataset: PhotoDataset,
    recipe: Recipe,
    plan: Plan,
    teacher: str,
    store: str,
) -> tuple[tuple[str, str], ...]:
    """A label and a text for each line.

    teacher: where it is asked, without secrets. store: its path, and whether it is new.
    """
    facts = dataset.facts
    return (
        ("dataset", f"{facts.name}: {_rows(facts)} in {dataset.form}, {facts.path}"),
        ("columns", "; ".join(_columns(facts))),
        ("photos", "; ".join(_photos(counts, plan.draw))),
        ("recipe", ", ".join(_recipe(recipe))),
        ("teacher", f"{recipe.model}, {teacher}"),
        ("store", store),
        ("to do", _to_do(counts, plan)),
    )


def _rows(facts: DatasetFacts) -> str:
    assert facts.num_rows is not None  # None only for a dataset that was never opened
    return format_number_of(facts.num_rows, "row")


def _columns(facts: DatasetFacts) -> Iterator[str]:
    """The column of each role, by its own name where it has another; then the others."""
    roles = facts.column_map
    yield _names([role if role == name else f"{role}={name}" for role, name in roles.items()])
    if others := [name for name in facts.columns if name not in roles.values()]:
        yield f"also {_names(others)}"


def _names(names: list[str]) -> str:
    shown = names if len(names) <= _MOST_NAMES + 1 else names[:_MOST_NAMES]
    more = len(names) - len(shown)
    return ", ".join(shown) + (f" and {more:,} more" if more else "")


def _photos(counts: PlanCounts, draw: Draw) -> Iterator[str]:
    order = {
        "dataset": "in the dataset's order",
        "hardest": "the hardest first",
        "easiest": "the easiest first",
        "random": f"in random order (seed {draw.seed})",
    }[draw.order]
    which = "all" if counts.photos == counts.usable else f"{counts.photos:,} of"
    yield f"{which} {counts.usable:,}, {order}" if counts.usable else "none that can be asked about"
    if draw.bounded:
        low = 0.0 if draw.min_locatability is None else draw.min_locatability
        high = draw.max_locatability
        yield f"locatability from {low:g}" + ("" if high is None else f" to below {high:g}")
    if counts.excluded:
        yield f"not usable: {format_counts(counts.excluded)}"


def _recipe(recipe: Recipe) -> Iterator[str]:
    yield recipe_hash(recipe)[:8]
    if names := tool_names(recipe):
        how = "written in the text" if recipe.protocol == "text" else "called by the API"
        yield f"{' and '.join(names)} {how}"
        yield f"boxes as {recipe.bbox_frame}"
    else:
        yield "no tools"
    if recipe.temperature is not None:
        yield f"temperature {recipe.temperature:g}"
    if recipe.seed is not None:
        yield f"seed {recipe.seed}"
    yield f"up to {recipe.max_tokens:,} tokens a response"


def _to_do(counts: PlanCounts, plan: Plan) -> str:
    in_all = counts.closed + counts.begun + counts.new
    each = "" if plan.rollouts == 1 else f" ({plan.rollouts:,} a photo)"
    traces = f"{format_number_of(in_all, 'trace')}{each}"
    if not in_all:
        return "nothing: no photo can be asked about"
    if counts.closed == in_all:
        return f"nothing: {traces}, closed already"
    turns = f"; {format_number_of(plan.turn_limit, 'turn')} at most"
    if plan.reuse:
        turns = f", less those that --reuse attaches{turns}"
    if counts.new == in_all:
        return f"{traces} to ask{turns}"
    parts = {"closed already": counts.closed, "begun": counts.begun, "to ask": counts.new}
    states = [f"{count:,} {state}" for state, count in parts.items() if count]
    return f"{traces}: {', '.join(states)}{turns}"
