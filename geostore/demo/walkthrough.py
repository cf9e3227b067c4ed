"""Walk through geostore on rendered photos: the real commands, one after another.

It needs no network and no key: the teacher is the offline one, a child process on
loopback. Each command is shown as a user would type it, and runs as a process.
"""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from geostore.demo.photos import make_photos
from geostore.demo.server import MODEL, offline_teacher
from geostore.errors import DemoError

MAX_PIXELS = 640 * 480
"""Photos are reduced to this area, at which small text on a sign is unreadable."""
_COLUMNS_OF_A_FILE = "80"
_COMMAND_COLUMNS = 50  # after which a command goes on below with its next option

# The trace to show: the best one that needed the most tool calls.
_PICK_TRACE = (
    "select trace from trace_results where status = 'answered' "
    "order by tool_calls desc, score desc, trace limit 1"
)


def run(directory: str | Path, *, samples: int = 24) -> None:
    """Render photos, ask the offline teacher with and without tools, look, and export.

    Makes `directory` with photos/, geostore.db, traces/ and report.html. A second run pays for
    nothing that the first one paid for. Writes to standard output.

    Raises DemoError if the photos or the teacher cannot be made, SystemExit with
    a command's exit code if that command fails.
    """
    folder = Path(directory)
    photos, store, traces = folder / "photos", folder / "geostore.db", folder / "traces"
    report = folder / "report.html"
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DemoError(
            f"{folder} cannot be the demo's folder ({error.strerror}); name another"
        ) from error
    _render(photos, samples)
    with offline_teacher() as url:
        _announce("A teacher now listens on this machine; it sees only what each request holds.")
        ask = ["generate", "--dataset-path", str(photos), "--store", str(store)]
        ask += ["--num-samples", str(samples), "--base-url", url, "--model", MODEL]
        ask += ["--max-pixels", str(MAX_PIXELS)]
        _announce("Ask it about every photo; it may zoom and rotate.")
        _geostore(*ask)
        _announce("Ask again without tools: another recipe, beside the first.")
        _geostore(*ask, "--no-tools")
    at = ["--store", str(store)]
    _announce("Rewards are there already; rescore fills in only what is missing.")
    _geostore("rescore", *at)
    _announce("Ask the store: how the recipes compare, and what the tools brought.")
    _geostore("query", "summary", *at)
    _geostore("query", "tool_lift", *at)
    _geostore("stats", *at)
    trace = _pick_trace(store)
    if trace is not None:
        _announce("One trace in full.")
        _geostore("show", trace, *at)
    _announce("Export the good ones, a JSON file per trace.")
    _geostore("export", str(traces), *at, "--format", "trace", "--min-score", "0.3")
    _announce("Write a page about it all, to open in a browser.")
    _geostore("report", str(report), *at)
    print(_closing(folder, samples), flush=True)


def _render(photos: Path, samples: int) -> None:
    import datasets

    datasets.disable_progress_bars()
    _announce(f"Render {samples} photos of road scenes at real places (a second or less each).")
    is_new = make_photos(photos, samples=samples)
    print(f"{photos}: {samples} photos{'' if is_new else ', there already'}", flush=True)


def _geostore(*arguments: str) -> None:
    """Show a command and run it. Raises SystemExit with its code if it fails."""
    command_line = shlex.join(["geostore", *arguments])
    print(f"\n$ {_over_lines(['geostore', *arguments])}", flush=True)
    code = subprocess.run(_command(arguments), env=_environment(), check=False).returncode
    if code != 0:
        print(f"demo: stopped, exit code {code} from: {command_line}", file=sys.stderr)
        raise SystemExit(code if code > 0 else 1)


def _over_lines(words: Sequence[str]) -> str:
    """A command that a shell takes as it stands; a long one over several lines."""
    lines = [""]
    for word in map(shlex.quote, words):
        # An option stands in one line with its value.
        begins = word.startswith("--") and len(lines[-1]) > _COMMAND_COLUMNS
        if begins:
            lines[-1] += " \\"
            lines.append("   ")
        lines[-1] += f" {word}" if lines[-1] else word
    return "\n".join(lines)


def _pick_trace(store: Path) -> str | None:
    """The name of a trace to show; None if the store has none with an answer."""
    command = _command(["query", _PICK_TRACE, "--store", str(store), "--format", "json"])
    query = subprocess.run(command, env=_environment(), check=False, capture_output=True, text=True)
    if query.returncode != 0:
        raise DemoError(f"no trace could be picked to show: {query.stderr.strip()}")
    rows = json.loads(query.stdout)
    return str(rows[0]["trace"]) if rows else None


def _command(arguments: Sequence[str]) -> list[str]:
    return [sys.executable, "-m", "geostore", *arguments]


def _environment() -> dict[str, str]:
    """This environment without a teacher's key or address, so that the demo costs nobody money."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith("OPENAI_")}
    if not sys.stdout.isatty() and not environment.get("COLUMNS"):
        # The demo is to be read, also in a file, where tables would not fold.
        environment["COLUMNS"] = _COLUMNS_OF_A_FILE
    return environment


def _announce(sentence: str) -> None:
    print(f"\n# {sentence}", flush=True)


def _closing(folder: Path, samples: int) -> str:
    """The last text: the files, what to try next, and how to use a real teacher."""
    photos, store = folder / "photos", folder / "geostore.db"
    at, data = shlex.quote(str(store)), shlex.quote(str(photos))
    return f"""
Made:
  {photos}  {samples} photos with their truth, as a Hugging Face dataset
  {store}  every response, tool call, answer and reward, as rows
  {folder / "traces"}  the traces with a score of 0.3 and more
  {folder / "report.html"}  how good they are: a page for a browser
(Towns: GeoNames, CC BY 4.0.)

Try next (after: source .venv/bin/activate):
  geostore query --list --store {at}
  geostore rescore --reward exponential --store {at}
  geostore generate --teacher offline --dataset-path {data} \\
    --store {at} --num-samples {samples} \\
    --max-pixels {MAX_PIXELS} --rollouts 2

With a real teacher, the same command on your own dataset:
  vLLM:    geostore generate --dataset-path PATH --model NAME \\
             --base-url http://127.0.0.1:8000/v1
  OpenAI:  OPENAI_API_KEY=... geostore generate --dataset-path PATH --model NAME"""
