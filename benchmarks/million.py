"""A store with as many traces as asked for, made in bulk SQL: three turns and one answer each.

Four traces share a sample, one answer in twenty could not be read, one in three names a place, and
the true distances are spread from metres to the antipode. The rows have the sizes of real ones
(responses of some hundred characters); photos, tool calls and hashes are made up. A million traces
take about two minutes and 2 GB.

Run by itself to look at such a store: python benchmarks/million.py PATH [--traces COUNT]
"""

from __future__ import annotations

import argparse
import sqlite3
import time
from pathlib import Path

from geostore.store import Store

ROLLOUTS = 4
TURNS = 3
NOW = "2026-01-01T00:00:00.000Z"

_PROSE = (
    "The road markings are yellow, the poles are of concrete, and the writing on the shop front "
    "is in Latin letters with accents. The vegetation is dry and the sun stands in the north. "
)

# A number in 0..1 that looks random and is the same every time, from a whole number.
_SPREAD = "(({0}) * 2654435761 % 4294967296) / 4294967296.0"

_COUNT = """
with recursive n (i) as (
  select :first
  union all
  select i + 1 from n where i < :last
)
"""

_SAMPLES = f"""
{_COUNT}
insert into samples (
  id, dataset_id, sample_index, lat, lon, locatability_score, country, columns, image_sha256,
  image_format, width, height
)
select
  i, 1, i, round({_SPREAD.format("i")} * 178 - 89, 6),
  round({_SPREAD.format("i * 31")} * 360 - 180, 6),
  {_SPREAD.format("i * 7")}, iif(i % 10 = 0, 'japan', 'france'), '{{}}',
  printf('%064x', i), 'JPEG', 1600, 1200
from n
"""

_TRACES = f"""
{_COUNT}
insert into traces (
  id, sample_id, recipe_id, rollout, status, stop_reason, turn_limit, sent_sha256, sent_width,
  sent_height, created_at, closed_at
)
select
  i, (i - 1) / :rollouts + 1, 1, (i - 1) % :rollouts + 1, 'answered', 'answer', 10,
  printf('%064x', i), 1120, 840, :now, :now
from n
"""

_TURNS = f"""
{_COUNT}
insert into turns (
  trace_id, turn, finish_reason, turn_limit, request_sha256, prompt_tokens, completion_tokens,
  total_tokens, latency_ms, served_model, created_at, response
)
select
  t.i, k.value, 'stop', 10, printf('%064x', t.i), 1500, 120, 1620, 2000, 'teacher', :now,
  iif(
    k.value < {TURNS},
    :prose || '<tool_call>{{"name": "image_zoom_in_tool"}}</tool_call>',
    :prose || iif(
      t.i % 20 = 0,
      'I cannot tell. <answer>\\boxed{{latitude, longitude}}</answer>',
      printf(
        '<answer>\\boxed{{%.6f, %.6f}}</answer>',
        {_SPREAD.format("t.i * 13")} * 178 - 89, {_SPREAD.format("t.i * 17")} * 360 - 180
      )
    )
  )
from n as t, json_each('[1, 2, 3]') as k
"""

_ANSWERS = f"""
{_COUNT}
insert into answers (
  trace_id, parser_version, lat, lon, form, failure, flags, said_country, said_region, said_city
)
select
  i, :version,
  iif(i % 20 = 0, null, round({_SPREAD.format("i * 13")} * 178 - 89, 6)),
  iif(i % 20 = 0, null, round({_SPREAD.format("i * 17")} * 360 - 180, 6)),
  'boxed', iif(i % 20 = 0, 'placeholder', null), '[]',
  iif(i % 3 = 0, iif(i % 2, 'France', 'Japan'), null),
  iif(i % 3 = 0, iif(i % 2, 'Île-de-France', 'Hokkaido'), null),
  iif(i % 3 = 0, iif(i % 2, 'Paris', 'Sapporo'), null)
from n
"""


_FACTS = """
insert into trace_facts
select * from trace_facts_now where status <> 'open' and trace_id between :first and :last
"""


def make_store(path: Path, *, traces: int, rollouts: int = ROLLOUTS) -> None:
    """Make a store at `path` with so many answered traces (a multiple of four) and no reward."""
    with Store.open(path, create=True, durability="normal") as store:
        _put_frame(store.db.connection)
        add_traces(store, first=1, last=traces, rollouts=rollouts)


def add_traces(
    store: Store, *, first: int, last: int, rollouts: int = ROLLOUTS, batch: int = 100_000
) -> None:
    """Add the traces with ids from `first` to `last`; the former begins with a new sample."""
    from geostore.answers import PARSER_VERSION

    connection = store.db.connection
    for begin in range(first, last + 1, batch):
        end = min(begin + batch - 1, last)
        samples = {"first": (begin - 1) // rollouts + 1, "last": (end - 1) // rollouts + 1}
        rows = {"first": begin, "last": end}
        with store.db.transaction():
            connection.execute(_SAMPLES, samples)
            connection.execute(_TRACES, {**rows, "rollouts": rollouts, "now": NOW})
            connection.execute(_TURNS, {**rows, "now": NOW, "prose": _PROSE})
            connection.execute(_ANSWERS, {**rows, "version": PARSER_VERSION})
            # As the store does in the transaction that closes a trace.
            connection.execute(_FACTS, rows)


def _put_frame(connection: sqlite3.Connection) -> None:
    connection.execute(
        "insert into datasets (id, fingerprint, path, name, num_rows, columns, column_map,"
        " created_at) values (1, 'f', '/photos', 'photos', 1000000, '[]', '{}', ?)",
        (NOW,),
    )
    connection.execute(
        "insert into recipes (id, sha256, model, system_prompt, user_prompt, tools, protocol,"
        " bbox_frame, limits, temperature, max_tokens, extra_body, max_calls_per_turn, max_nudges,"
        " answer_with_calls, reasoning_field, created_at) values (1, ?, 'teacher', '', '', '[]',"
        " 'text', 'pixel', '{}', 0.7, 2048, '{}', 3, 2, 'run_calls', 'auto', ?)",
        ("a" * 64, NOW),
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("path", type=Path)
    parser.add_argument("--traces", type=int, default=1_000_000)
    options = parser.parse_args()
    began = time.monotonic()
    make_store(options.path, traces=options.traces)
    size = options.path.stat().st_size / 1e9
    print(f"{options.traces:,} traces in {time.monotonic() - began:.0f} s, {size:.1f} GB")


if __name__ == "__main__":
    main()
