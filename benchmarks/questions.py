"""How soon named questions are answered over a million traces, and at what memory.

The store has traces of three turns each, of two models, one of them with two tool calls, all
with two rewards, places and an audit; a million take some minutes to make and 3.5 GB. Each
question is asked twice in a row of a reader that is open: the second answer is the warm one.
Cold is a new process of `geostore stats`, with its opening, which the system's cache may still
help. Memory is the peak of the process that asks them all. Beside it stand the sums of
`summary` in plain SQLite over the file's view, and in pandas over one JSON file per trace, as
scripts keep them: as many files as --files says, scaled to the same number of traces.

Run by itself: python benchmarks/questions.py [--traces COUNT] [--store PATH] [--files COUNT]
A store at PATH is made where there is none, and stays.
"""

from __future__ import annotations

import argparse
import json
import sqlite3
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from figures import HEADER, Figure
from million import NOW, make_store

from geostore.rewards import ensure_default_spec
from geostore.store import Store

_TRACES = 100_000
_FULL = 1_000_000

_MORE = """
update recipes set tools = '[{"name":"image_zoom_in_tool"}]' where id = 1;
insert into recipes (
  id, sha256, model, system_prompt, user_prompt, tools, protocol, bbox_frame, limits, temperature,
  max_tokens, seed, extra_body, max_calls_per_turn, max_nudges, answer_with_calls, reasoning_field,
  created_at
)
select
  2, replace(sha256, 'a', 'b'), 'other', system_prompt, user_prompt, '[]', protocol, bbox_frame,
  limits, temperature, max_tokens, seed, extra_body, max_calls_per_turn, max_nudges,
  answer_with_calls, reasoning_field, created_at
from recipes
where id = 1;
update traces set recipe_id = 2 where rollout > 2;
insert into prices (model, tier, per_million_in, per_million_out, created_at, updated_at)
values ('teacher', '', 0.4, 1.6, :now, :now);
insert into tool_calls (
  trace_id, turn, call_index, name, raw_arguments, arguments, source_index, box_left, box_top,
  box_right, box_bottom, success, error_kind, flags, observation, image_index, image_sha256,
  image_width, image_height, created_at
)
select
  t.id, k.value, 0, 'image_zoom_in_tool', '{"bbox_2d": [100, 100, 400, 400], "img_idx": 0}',
  '{"bbox_2d":[100,100,400,400],"img_idx":0}', 0, 100, 100, 400, 400, iif(t.id % 15 = 0, 0, 1),
  iif(t.id % 15 = 0, 'too_small', null), iif(t.id % 11 = 0, '["noop"]', '[]'),
  'Here is the image.', iif(t.id % 15 = 0, null, k.value), printf('%064x', t.id), 600, 600, :now
from traces as t, json_each('[1, 2]') as k
where t.recipe_id = 1;
"""
"""Two recipes of two models on the same samples, one with tools, whose calls sometimes fail."""


def make(path: Path, *, traces: int) -> None:
    """The store that the questions are asked of."""
    make_store(path, traces=traces)
    connection = sqlite3.connect(path)
    for statement in _MORE.split(";\n"):
        if statement.strip():
            connection.execute(statement, {"now": NOW} if ":now" in statement else {})
    connection.execute("delete from trace_facts")
    connection.execute(
        "insert into trace_facts select * from trace_facts_now where status <> 'open'"
    )
    connection.commit()
    connection.close()
    with Store.open(path) as store, store.db.transaction():
        ensure_default_spec(store.db)
    for command in (("rescore",), ("rescore", "--reward", "linear"), ("audit",)):
        subprocess.run(
            [sys.executable, "-m", "geostore", *command, "--store", path],
            check=True,
            capture_output=True,
        )


_ASK_ALL = """
import json, resource, sys, time
from geostore.query.headers import questions
from geostore.query.limits import Limits
from geostore.query.reader import ask, open_reader
times = {}
with open_reader(sys.argv[1]) as reader:
    for question in questions():
        given = {p.name: "geoguessr" if p.name == "a" else "linear"
                 for p in question.parameters if p.is_required}
        for _ in range(2):
            began = time.monotonic()
            ask(reader, question.name, parameters=given)
            times[question.name] = time.monotonic() - began
print(json.dumps([times, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024]))
"""


def figures(
    *, traces: int = _TRACES, store: Path | None = None, files: int = 2_000, every: bool = False
) -> list[Figure]:
    """Warm seconds of the slowest questions, or of every one; cold ones; memory."""
    with tempfile.TemporaryDirectory(prefix="geostore-bench-") as folder:
        path = Path(folder) / "geostore.db" if store is None else store
        if not path.exists():
            make(path, traces=traces)
        asked = subprocess.run(
            [sys.executable, "-c", _ASK_ALL, path], check=True, capture_output=True, text=True
        )
        times, peak = json.loads(asked.stdout)
        began = time.monotonic()
        subprocess.run(
            [sys.executable, "-m", "geostore", "stats", "--store", path],
            check=True,
            capture_output=True,
        )
        cold = time.monotonic() - began
        connection = sqlite3.connect(path)
        count = connection.execute("select count(*) from traces").fetchone()[0]
        began = time.monotonic()
        connection.execute(
            "select recipe, count(*), avg(distance_km), avg(distance_km_or_20000), avg(score), "
            "avg(total_tokens) from trace_results where status <> 'open' group by recipe"
        ).fetchall()
        in_sqlite = time.monotonic() - began
        connection.close()
        in_pandas = _pandas_seconds(path, Path(folder) / "traces", files) * count / files
    # A goal is for a million; fewer traces take their share of it and the start of a question.
    goal = 1.5 * max(count, _TRACES) / _FULL + (0.1 if count < _FULL else 0)
    slowest = sorted(times.items(), key=lambda item: -item[1])
    shown = slowest if every else slowest[:5]
    return [
        *(Figure(f"{name}, warm, {count:,} traces", t, " s", goal=goal) for name, t in shown),
        Figure(f"all {len(times)} questions, warm", sum(times.values()), " s"),
        Figure("geostore stats, a new process", cold, " s", goal=15),
        Figure("the most memory", peak / 1e9, " GB", goal=2),
        Figure("summary, warm", times["summary"], " s"),
        Figure("the same sums in plain SQLite", in_sqlite, " s"),
        Figure("the same sums in pandas over files", in_pandas, " s", note=f"of {files:,}, scaled"),
    ]


def _pandas_seconds(store: Path, folder: Path, files: int) -> float:
    """Seconds to read so many files of a trace each, and to add them up."""
    import pandas

    folder.mkdir()
    connection = sqlite3.connect(store)
    responses = (
        "select json_group_array(json_object('turn', turn, 'response', response, 'usage', "
        "json_object('prompt_tokens', prompt_tokens, 'completion_tokens', completion_tokens))) "
        "from turns where trace_id = ?"
    )
    results = "select trace_id, trace, recipe, distance_km, score from trace_results limit ?"
    for trace_id, name, *values in connection.execute(results, (files,)).fetchall():
        turns = json.loads(connection.execute(responses, (trace_id,)).fetchone()[0])
        trace = dict(zip(("recipe", "distance_km", "score"), values, strict=True), turns=turns)
        (folder / f"{name}.json").write_text(json.dumps(trace, indent=1), encoding="utf-8")
    connection.close()
    began = time.monotonic()
    rows = []
    for path in folder.iterdir():
        trace = json.loads(path.read_text(encoding="utf-8"))
        usage = [turn["usage"] for turn in trace["turns"]]
        tokens = sum(u["prompt_tokens"] + u["completion_tokens"] for u in usage)
        rows.append((trace["recipe"], trace["distance_km"], trace["score"], tokens))
    table = pandas.DataFrame(rows, columns=["recipe", "km", "score", "tokens"])
    table["km_or_20000"] = table["km"].fillna(20_000)
    table.groupby("recipe").mean()
    return time.monotonic() - began


def main() -> None:
    parser = argparse.ArgumentParser(description="Time named questions.")
    parser.add_argument("--traces", type=int, default=_FULL)
    parser.add_argument("--store", type=Path)
    parser.add_argument("--files", type=int, default=20_000)
    options = parser.parse_args()
    print(HEADER)
    for figure in figures(
        traces=options.traces, store=options.store, files=options.files, every=True
    ):
        print(figure.line())


if __name__ == "__main__":
    main()
