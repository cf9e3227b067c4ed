"""Measure how large a store is: its bytes per trace against the bytes of the text it holds.

Traces are generated as the command line does it, of two to four turns with about 1 KB of text in
each response, every trace of a sample of its own; enough of them that the pages of empty tables do
not count. Then the log is put back into the file, and the file is weighed whole: tables, indices,
free pages and all. Set against it is the text that anyone who keeps traces has to keep, in UTF-8:
responses, reasoning, observations, and the prompts once.

The other figures are what the same traces weigh as files, a JSON per trace with the images inside
as base64, which is what loops without a store ordinarily write: once with every image once, and
once with what was sent in each turn, whole. These are real exports, of the first traces only,
since they are large. They depend on the photos: here 2048 x 1536, sent at 1 megapixel; those of the
other traces are small ones.
"""

from __future__ import annotations

import argparse
import io
import tempfile
from contextlib import redirect_stderr
from pathlib import Path

from figures import HEADER, Figure
from generate_cpu import Work, generate_into
from loopback import loopback_server
from photos import SIZE, photo, save_photos

from geostore.dataset import PhotoDataset
from geostore.export import ExportOptions, MessagesMode, export
from geostore.store import Store

TRACES = 1_500
EXPORTED = 12
GOAL = 2.0
_SMALL = (640, 480)

# Prompts are templates that stand once in the store, in the row of their recipe.
_TEXT = """
select
  (select sum(length(cast(response as blob)) + coalesce(length(cast(reasoning as blob)), 0))
   from turns)
  + (select sum(length(cast(observation as blob))) from tool_calls)
  + (select sum(length(cast(system_prompt as blob)) + length(cast(user_prompt as blob)))
     from recipes)
"""


def figures(*, traces: int = TRACES, exported: int = EXPORTED) -> list[Figure]:
    """Generate, export and weigh; the ratio that has a goal comes first."""
    with (
        tempfile.TemporaryDirectory() as folder,
        loopback_server(latency=0.0) as url,
        redirect_stderr(io.StringIO()),  # what the runs tell a person
    ):
        photos, path = Path(folder) / "photos", Path(folder) / "geostore.db"
        # What is stored of a photo does not depend on its size; the exports do.
        sizes = [SIZE] * exported + [_SMALL] * (traces - exported)
        save_photos(photos, [photo(number, size) for number, size in enumerate(sizes)])
        dataset = PhotoDataset.open(photos)
        work = Work(url, photos)
        generate_into(path, work, dataset, samples=exported)
        once, whole = (
            _exported_bytes(path, Path(folder) / mode, mode) / exported for mode in ("last", "full")
        )
        generate_into(path, work, dataset, samples=traces)
        text = _text_bytes(path, traces=traces) / traces
        stored = path.stat().st_size / traces
    return [
        Figure(
            "store / text in it",
            stored / text,
            goal=GOAL,
            note=f"{traces} traces; per trace {_kb(stored)} and {_kb(text)}",
        ),
        Figure(
            "JSON with base64, each image once / store",
            once / stored,
            note=f"{_kb(once)} per trace",
        ),
        Figure(
            "JSON with base64, every turn whole / store",
            whole / stored,
            note=f"{_kb(whole)} per trace",
        ),
    ]


def _text_bytes(path: Path, *, traces: int) -> int:
    """The bytes of all text; the store's log is put back into its file on the way."""
    with Store.open(path) as store:
        closed = "select count(*) from traces where status = 'answered'"
        assert store.db.connection.execute(closed).fetchone()[0] == traces
        text = int(store.db.connection.execute(_TEXT).fetchone()[0])
        busy, left, _ = store.db.connection.execute("pragma wal_checkpoint(truncate)").fetchone()
        assert (busy, left) == (0, 0)
    return text


def _exported_bytes(path: Path, out: Path, messages: MessagesMode) -> int:
    with Store.open(path) as store:
        export(store, out, options=ExportOptions(format="trace", messages=messages, images="embed"))
    files = (file for file in out.rglob("*.json") if file.name != "manifest.json")
    return sum(file.stat().st_size for file in files)


def _kb(size: float) -> str:
    return f"{size / 1000:,.1f} KB"


def main() -> None:
    parser = argparse.ArgumentParser(description="Bytes in the store against bytes of text.")
    parser.add_argument("--traces", type=int, default=TRACES, help="traces in the store")
    print(HEADER)
    for figure in figures(traces=parser.parse_args().traces):
        print(figure.line())


if __name__ == "__main__":
    main()
