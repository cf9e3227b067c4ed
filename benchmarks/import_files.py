"""Measure how fast trace files are imported, and in how much memory.

The files are of the older scripts' first form: three turns, one call, the whole history repeated in
every turn, about 13 KB each without images, each of a sample of its own. An import is a process of
its own, as the command line starts it: the files are read by one process a core, checked and
written, their answers read and scored. Started again, it finds all of them done.

The floor is what no import can do without: each file read, `json.loads`, one row inserted per
trace, in one process and one transaction, and nothing checked or scored. Both take turns, and
ratios are of neighbours: of processor time, which hardly depends on what else the machine does, and
of seconds. Memory is the greatest of the writing process and of one reading process, at two numbers
of files: where it is flat, the two figures are alike.
"""

from __future__ import annotations

import argparse
import json
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from itertools import count
from pathlib import Path
from statistics import median
from typing import Any

from figures import HEADER, Figure, median_ratio, spread, turn_about

from geostore.store import Store

FILES = 4_000
ROUNDS = 3
_GOAL_AGAIN = 0.2

_SYSTEM = "You are an expert at finding out where a photo was taken. " * 40
_QUESTION = "Where was this photo taken? Look at signs, plants, cars and light. " * 6
_THOUGHT = "The road is lined with plane trees, and the sign on the left is in French. " * 8

_CHILD = """
import json, os, re, resource, sys, time
from pathlib import Path
from geostore.importing import import_traces
from geostore.store import Store

def status(pid):
    try:
        text = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return {}
    return dict(re.findall(r"(\\w+):\\s+([0-9]+)", text))

peak = 0

def watch(seen, total):
    # What the system says of ended processes begins with the memory of whoever started them.
    global peak
    for pid in Path("/proc").glob("[0-9]*"):
        found = status(pid.name)
        if found.get("PPid") == str(os.getpid()):
            peak = max(peak, int(found.get("VmHWM", 0)))

began = time.perf_counter()
with Store.open(sys.argv[1], durability="normal") as store:
    result = import_traces(store, sys.argv[2], on_progress=watch)
taken = time.perf_counter() - began
own, read = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
cpu = sum(use.ru_utime + use.ru_stime for use in (own, read))
print(json.dumps([taken, cpu, result.imported, int(status("self").get("VmHWM", 0)), peak]))
"""


def figures(*, files: int = FILES, rounds: int = ROUNDS) -> list[Figure]:
    """Ratios to the floor come first."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_files(folder / "few", files // 4)
        write_files(folder / "all", files)
        stores = (folder / f"store_{number}.db" for number in count())
        few = _import(next(stores), folder / "few", new=files // 4)

        measures: list[Callable[[], dict[str, float]]] = [
            lambda: _import(next(stores), folder / "all", new=files),
            partial(_floor, folder),
        ]
        imports, floors = turn_about(measures, rounds=rounds)
        done = next(stores)
        _import(done, folder / "all", new=files)
        again = _import(done, folder / "all", new=0)
    timed, floor = ([one["seconds"] for one in found] for found in (imports, floors))
    used, least = ([one["cpu"] for one in found] for found in (imports, floors))
    rates = [files / seconds for seconds in timed]
    taken = median(timed)
    return [
        Figure(
            "import / json.loads and an insert, processor",
            median_ratio(used, least),
            note=f"{files:,} files, {1e3 * median(used) / files:.2f} ms each; starting up is in it",
        ),
        Figure(
            "import / json.loads and an insert, seconds",
            median_ratio(timed, floor),
            note=f"the floor does {files / median(floor):,.0f} files a second on one core",
        ),
        Figure("files a second", median(rates), "/s", note=spread(rates)),
        Figure(
            "import with nothing new / first import", again["seconds"] / taken, goal=_GOAL_AGAIN
        ),
        Figure(
            "peak memory of the writer",
            median(one["writer"] for one in imports),
            " MB",
            note=f"{few['writer']:.1f} MB for a quarter of the files",
        ),
        Figure(
            "peak memory of a reading process",
            median(one["reader"] for one in imports),
            " MB",
            note=f"{few['reader']:.1f} MB for a quarter of the files",
        ),
    ]


def write_files(folder: Path, files: int) -> None:
    """Write so many trace files."""
    folder.mkdir()
    for number in range(files):
        text = json.dumps(_document(number), indent=2)
        (folder / f"trace_{number:05d}.json").write_text(text, encoding="utf-8")


def _document(number: int) -> dict[str, Any]:
    lat, lon = number % 160 - 80 + 0.5, number % 340 - 170 + 0.25
    call = {"name": "image_zoom_in_tool", "arguments": {"bbox_2d": [1, 2, 300, 400]}}
    said = [
        f"{_THOUGHT}<tool_call>\n{json.dumps(call)}\n</tool_call>",
        f"{number}. {_THOUGHT}",
        f"{_THOUGHT}<answer>\\boxed{{{lat}, {lon}}}</answer>",
    ]
    messages: list[dict[str, Any]] = [
        {"role": "system", "content": _SYSTEM},
        {"role": "user", "content": [{"type": "text", "text": _QUESTION}]},
    ]
    turns = []
    for turn, response in enumerate(said, start=1):
        usage = {"prompt_tokens": 900, "completion_tokens": 90, "total_tokens": 990}
        entry = {"turn": turn, "messages": list(messages), "response": response, "usage": usage}
        turns.append(entry)
        messages += [
            {"role": "assistant", "content": response},
            {"role": "user", "content": [{"type": "text", "text": "Go on."}]},
        ]
    return {
        "dataset_path": "/data/photos",
        "sample_index": number,
        "sample_data": {"lat": lat, "lon": lon, "locatability_score": 0.5, "country": "france"},
        "conversation_history": turns,
        "final_response": said[-1],
        "reward_score": {"score": 1.0, "distance@km": 0.0, "parse_success": True},
        "tool_calls": [{"turn": 1, "tool_call": call, "success": True}],
        "metadata": {"total_turns": 3, "num_tool_calls": 1},
    }


def _import(store: Path, folder: Path, *, new: int) -> dict[str, float]:
    """One import in a process of its own: seconds, and megabytes of memory."""
    # Here, because to make a store takes time and memory that have nothing to do with files.
    Store.open(store, create=True).close()
    done = subprocess.run(
        [sys.executable, "-c", _CHILD, str(store), str(folder)],
        capture_output=True,
        text=True,
        check=True,
    )
    seconds, cpu, imported, own, read = json.loads(done.stdout)
    assert imported == new
    return {"seconds": seconds, "cpu": cpu, "writer": own / 1024, "reader": read / 1024}


def _floor(folder: Path) -> dict[str, float]:
    began, used = time.perf_counter(), time.process_time()
    path = folder / f"floor_{time.monotonic_ns()}.db"
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("pragma journal_mode = wal")
    connection.execute("create table traces (name text primary key, trace text) strict")
    connection.execute("begin")
    for file in (folder / "all").iterdir():
        text = file.read_text(encoding="utf-8")
        value = json.loads(text)
        final = str(value["final_response"])
        connection.execute("insert into traces values (?, ?)", (file.name, final))
    connection.execute("commit")
    connection.close()
    return {"seconds": time.perf_counter() - began, "cpu": time.process_time() - used}


def main() -> None:
    parser = argparse.ArgumentParser(description="How fast trace files are imported.")
    parser.add_argument("--files", type=int, default=FILES)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    options = parser.parse_args()
    print(HEADER)
    for figure in figures(files=options.files, rounds=options.rounds):
        print(figure.line())


if __name__ == "__main__":
    main()
