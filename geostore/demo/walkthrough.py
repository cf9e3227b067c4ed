"""Walk through geostore on rendered photos: the real commands, one after another.

No network and no key: the teacher is the offline one, a child process on
loopback. Each command is shown as one would type it and run as its own process.
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
"""Area to which photos are reduced: small text on a sign is unreadable then."""

# The trace to show: the best one that needed the most tool calls.
_PICK_TRACE = (
    "select trace from trace_results where status = 'answered' "
    "order by tool_calls desc, score desc, trace limit 1"
)


def run(directory: str | Path, *, samples: int = 24) -> None:
    """Render photos, ask the offline teacher with and without tools, look, and export.

    Makes `directory` with photos/, geostore.db and traces/; a second run pays for
    nothing that the first one has. Writes to standard output.

    Raises DemoError if the photos or the teacher cannot be made, SystemExit with
    a command's exit code if that command fails.
    """
    folder = Path(directory)
    photos, store, traces = folder / "photos", folder / "geostore.db", folder / "traces"
    _render(photos, samples)
    with offline_teacher() as url:
        _tell("A teacher now listens on this machine; it sees only what each request holds.")
        ask = ["generate", "--dataset-path", str(photos), "--store", str(store)]
        ask += ["--num-samples", str(samples), "--base-url", url, "--model", MODEL]
        ask += ["--max-pixels", str(MAX_PIXELS)]
        _tell("Ask it about every photo; it may zoom and rotate.")
        _geostore(*ask)
        _tell("Ask again without tools: another recipe, beside the first.")
        _geostore(*ask, "--no-tools")
    at = ["--store", str(store)]
    _tell("Rewards are there already; rescore fills in only what is missing.")
    _geostore("rescore", *at)
    _tell("Ask the store: how the recipes compare, and what the tools brought.")
    _geostore("query", "summary", *at)
    _geostore("query", "tool_lift", *at)
    _geostore("stats", *at)
    trace = _pick_trace(store)
    if trace is not None:
        _tell("One trace in full.")
        _geostore("show", trace, *at)
    _tell("Export the good ones, a JSON file per trace.")
    _geostore("export", str(traces), *at, "--format", "trace", "--min-score", "0.3")
    print(_closing(photos, store, traces, samples), flush=True)


def _render(photos: Path, samples: int) -> None:
    import datasets

    datasets.disable_progress_bars()
    _tell(f"Render {samples} photos of road scenes at real places (a second or less each).")
    made = make_photos(photos, samples=samples)
    print(f"{photos}: {samples} photos{'' if made else ', there already'}", flush=True)


def _geostore(*arguments: str) -> None:
    """Show a command and run it. Raises SystemExit with its code if it fails."""
    shown = shlex.join(["geostore", *arguments])
    print(f"\n$ {shown}", flush=True)
    code = subprocess.run(_command(arguments), env=_environment(), check=False).returncode
    if code != 0:
        print(f"demo: stopped, exit code {code} from: {shown}", file=sys.stderr)
        raise SystemExit(code if code > 0 else 1)


def _pick_trace(store: Path) -> str | None:
    """Name of a trace worth looking at; None if the store has none that was answered."""
    command = _command(["query", _PICK_TRACE, "--store", str(store), "--format", "json"])
    done = subprocess.run(command, env=_environment(), check=False, capture_output=True, text=True)
    if done.returncode != 0:
        raise DemoError(f"no trace could be picked to show: {done.stderr.strip()}")
    rows = json.loads(done.stdout)
    return str(rows[0]["trace"]) if rows else None


def _command(arguments: Sequence[str]) -> list[str]:
    return [sys.executable, "-m", "geostore", *arguments]


def _environment() -> dict[str, str]:
    """Ours without a teacher's key or address: the demo must reach nobody's account."""
    return {key: value for key, value in os.environ.items() if not key.startswith("OPENAI_")}


def _tell(sentence: str) -> None:
    print(f"\n# {sentence}", flush=True)


def _closing(photos: Path, store: Path, traces: Path, samples: int) -> str:
    """What was made, what to try next, and the way to a real teacher."""
    at, data = shlex.quote(str(store)), shlex.quote(str(photos))
    return f"""
Made:
  {photos}  {samples} photos with their truth, as a Hugging Face dataset
  {store}  every response, tool call, answer and reward, as rows
  {traces}  the traces with a score of 0.3 and more
(Towns: GeoNames, CC BY 4.0.)

Try next (after: source .venv/bin/activate):
  geostore query --list --store {at}
  geostore rescore --reward exponential --store {at}
  geostore generate --teacher offline --dataset-path {data} --store {at} \\
    --num-samples {samples} --max-pixels {MAX_PIXELS} --rollouts 2

With a real teacher, the same command on your own dataset:
  vLLM:    geostore generate --dataset-path PATH --base-url http://127.0.0.1:8000/v1 --model NAME
  OpenAI:  OPENAI_API_KEY=... geostore generate --dataset-path PATH --model NAME"""
