"""A filter as a condition that anyone can ask of the store's view ``trace_results``.

The view has the scores of the store's default reward, which may be another one tomorrow. So the
condition names the reward of the export by its hash, wherever it asks for a score.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Container, Iterable, Iterator

from geostore.sqlfiles import store_statements
from geostore.store import Filter

_LAST_TOKENS = """(
  select coalesce(prompt_tokens, estimated_prompt_tokens, 0)
    + coalesce(completion_tokens, estimated_completion_tokens, 0)
  from turns where turns.trace_id = trace_results.trace_id order by turn desc limit 1
)"""


def filter_sql(filters: Filter, reward: str | None) -> str:
    """The condition in SQLite's SQL: ``select trace from trace_results where <condition>``.

    reward: the sha256 of the reward spec whose scores count; None: the store has none.
    """
    return "\n  and ".join(_conditions(filters, _quoted(reward or "")))


def _conditions(filters: Filter, reward: str) -> Iterator[str]:
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
        yield _with_reward(f"score >= {filters.min_score!r}", reward)
    if filters.max_distance_km is not None:
        yield _with_reward(f"distance_km < {filters.max_distance_km!r}", reward)
    if filters.where is not None:
        yield _where(filters.where, reward)


def _with_reward(condition: str, reward: str) -> str:
    # What a trace file says of its reward (version 0) is said of the file's own reading. A reward
    # may give an answer without coordinates a score; that of an older reading does not count.
    return f"""trace_id in (
    select trace_id
    from rewards join reward_specs on reward_specs.id = spec_id
    where sha256 = {reward}
      and {condition}
      and (
        answer_failure is null
        or parser_version = 0
        or parser_version = (
          select max(answers.parser_version) from answers where answers.trace_id = rewards.trace_id
        )
      )
  )"""


def _where(condition: str, reward: str) -> str:
    words = set(re.findall(r"\w+", condition.lower()))
    results, asked = _results("results_of_reward", words, reward)
    # On lines of its own: it may end in a comment.
    if not asked:
        return f"(\n{condition}\n)"
    if {"select", "trace_results"} <= words:
        # Compared with others, which must have the scores of this reward as well.
        results, _ = _results("every_result_of_reward", words, reward)
        return f"""trace_id in (
    with trace_results as (
{textwrap.indent(results, " " * 6)}
    )
    select trace_id
    from trace_results
    where (
{condition}
    )
  )"""
    # The inner columns hide those of the view that have the same names.
    return f"""exists (
    select 1 from (
{textwrap.indent(results, " " * 6)}
    ) as trace_results
    where reward_of = trace_id and (
{condition}
    )
  )"""


def _results(statement: str, words: Container[str], reward: str) -> tuple[str, bool]:
    """A statement with its first column and those alone that the words name; whether it has any."""
    select, tail = store_statements()[statement].split("\nfrom ", 1)
    first, *columns = re.split(r",\n  (?=\S)", select)
    asked = [column for column in columns if re.split(r"[ .]", column)[-1] in words]
    tail = tail.replace("/*sha256*/", reward)
    return ",\n  ".join([first, *asked]) + f"\nfrom {tail}", bool(asked)


def _flagged(flags: Iterable[str]) -> str:
    return f"(select trace_id from trace_flags where flag in {_listed(flags)})"


def _listed(texts: Iterable[str]) -> str:
    return f"({', '.join(map(_quoted, texts))})"


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
