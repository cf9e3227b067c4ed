"""A filter as a condition that anyone can ask of the store's view ``trace_results``."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from geostore.store import Filter

_LAST_TOKENS = """(
  select coalesce(prompt_tokens, estimated_prompt_tokens, 0)
    + coalesce(completion_tokens, estimated_completion_tokens, 0)
  from turns where turns.trace_id = trace_results.trace_id order by turn desc limit 1
)"""


def filter_sql(filters: Filter) -> str:
    """The condition in SQLite's SQL: ``select trace from trace_results where <condition>``.

    The view has the scores of the store's default reward; where the filter names another,
    a comment says so.
    """
    condition = "\n  and ".join(_conditions(filters))
    if filters.reward is not None:
        reward = filters.reward.replace("*/", "* /")
        condition = f"/* score and distance_km are of the reward {reward} */ {condition}"
    return condition


def _conditions(filters: Filter) -> Iterator[str]:
    yield "turns > 0"
    if filters.statuses is not None:
        yield f"status in {_listed(filters.statuses)}"
    if filters.recipe is not None:
        begins = f"substr(sha256, 1, {len(filters.recipe)}) = {_quoted(filters.recipe)}"
        yield (
            "trace_id in (select traces.id from traces join recipes on recipes.id = recipe_id "
            f"where {begins})"
        )
    if filters.model is not None:
        yield f"model glob {_quoted(filters.model)}"
    if filters.since is not None:
        yield f"trace_id in (select id from traces where closed_at >= {_quoted(filters.since)})"
    if filters.min_turns is not None:
        yield f"turns >= {filters.min_turns}"
    if filters.max_turns is not None:
        yield f"turns <= {filters.max_turns}"
    if filters.max_tokens is not None:
        yield f"{_LAST_TOKENS} <= {filters.max_tokens}"
    if filters.require_tools:
        yield "trace_id in (select trace_id from tool_calls where success = 1)"
    if filters.flags:
        yield f"trace_id in {_flagged(filters.flags)}"
    if filters.exclude_flags:
        yield f"trace_id not in {_flagged(filters.exclude_flags)}"
    if filters.min_score is not None:
        yield f"score >= {filters.min_score!r} and not failure"
    if filters.max_distance_km is not None:
        yield f"distance_km < {filters.max_distance_km!r} and not failure"
    if filters.where is not None:
        # On lines of its own: it may end in a comment.
        yield f"(\n{filters.where}\n)"


def _flagged(flags: Iterable[str]) -> str:
    return f"(select trace_id from trace_flags where flag in {_listed(flags)})"


def _listed(texts: Iterable[str]) -> str:
    return f"({', '.join(map(_quoted, texts))})"


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
