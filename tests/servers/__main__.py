"""Runs generate against real servers: vLLM on the CPU and transformers' own.

``make test-servers`` runs it; it takes about ten minutes, and about 4 GB and some
more minutes the first time. The teacher is a tiny model that `make_model` writes.
For each server and protocol, a run of generate is killed in the middle and started
again, the server is killed in the middle and started again, and then the store is
proven: no trace failed, nothing was paid for twice but what a kill met in flight,
and `verify` derives every request and image again. Besides, vLLM is limited to two
images, and transformers gets calls that it cannot read.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from tests.conftest import photo_bytes, save_dataset
from tests.servers.environment import Environment
from tests.servers.server import Server, ServerFailed
from tests.teacher_server import wait_until

PHOTOS = 24
CONCURRENCY = 4
RUN_SECONDS = 600.0
MODEL = "qwen3-vl-tiny"
VLLM = (
    *("--max-model-len", "16384", "--max-num-seqs", str(CONCURRENCY), "--enforce-eager"),
    *("--enable-auto-tool-choice", "--tool-call-parser", "hermes"),
)


@dataclass(frozen=True)
class Kind:
    """A server program and how it serves a model."""

    name: str
    program: str

    def arguments(self, model: Path) -> tuple[str | Path, ...]:
        """The arguments that serve a model's folder; its name is the path."""
        if self.program == "vllm":
            return ("serve", model, *VLLM)
        return ("serve", model, "--device", "cpu", "--log-level", "info")


KINDS = (Kind("vLLM", "vllm"), Kind("transformers", "transformers"))


class Stage:
    """The photos, the models and a folder for the stores of one trial."""

    def __init__(self, environment: Environment, folder: Path) -> None:
        self.environment, self.folder = environment, folder
        photos = [photo_bytes(number) for number in range(PHOTOS)]
        self.photos = save_dataset(folder / "photos", photos)

    def model(self, name: str, *options: str) -> Path:
        """Write a model and return its folder, whose last part tells geostore the family."""
        path = self.folder / name / MODEL
        script = Path(__file__).parent / "make_model.py"
        subprocess.run(
            self.environment.command("python", script, path, *options),
            env=self.environment.variables(),
            check=True,
        )
        return path

    def generate(
        self, server: Server, model: Path, store: Path, *options: str
    ) -> subprocess.Popen[bytes]:
        """Start a run on all photos; what it prints goes to a file beside the store."""
        arguments = [
            *("generate", "--dataset-path", self.photos, "--store", store, "--num-samples", "0"),
            *("--base-url", server.url, "--model", model, "--max-tokens", "64"),
            *("--concurrency", str(CONCURRENCY), "--quiet", *options),
        ]
        with store.with_suffix(".log").open("ab") as log:
            return subprocess.Popen(
                [sys.executable, "-m", "geostore", *map(str, arguments)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env={k: v for k, v in os.environ.items() if not k.startswith("OPENAI_")},
            )


def ask(store: Path, query: str) -> int:
    """A number out of a store; 0 where there is none yet."""
    if not store.exists():
        return 0
    with closing(sqlite3.connect(store)) as connection:
        try:
            return int(connection.execute(query).fetchone()[0])
        except sqlite3.OperationalError:
            return 0


TURNS = "select count(*) from turns"


def wait_for_turns(run: subprocess.Popen[bytes], store: Path, count: int) -> None:
    """Wait until a run's store holds so many. Raises AssertionError where the run ends before."""
    wait_until(lambda: ask(store, TURNS) >= count or run.poll() is not None, RUN_SECONDS)
    assert run.poll() is None, f"generate has ended too soon: {printed(store)}"


def kill_both_and_prove(stage: Stage, server: Server, model: Path, protocol: str) -> str:
    """One protocol through a kill of generate and a kill of the server; what was proven."""
    store = stage.folder / f"{model.parent.name}-{protocol}.db"
    before = server.answered
    options = ("--protocol", protocol)
    first = stage.generate(server, model, store, *options)
    wait_for_turns(first, store, PHOTOS // 4)
    first.kill()
    first.wait()

    second = stage.generate(server, model, store, *options)
    wait_for_turns(second, store, PHOTOS // 2)
    server.kill()
    time.sleep(3.0)
    assert second.poll() is None, f"generate has not waited for its server: {printed(store)}"
    server.start()
    assert second.wait(RUN_SECONDS) == 0, printed(store)

    turns = ask(store, TURNS)
    paid = server.answered - before
    # The server says that it has answered before generate has stored the answer.
    assert turns <= paid <= turns + 2 * CONCURRENCY, f"{paid} answers were paid, {turns} are kept"
    ended = "select count(*) from traces where status in ('answered', 'exhausted')"
    assert ask(store, ended) == PHOTOS, printed(store)
    assert ask(store, "select count(*) from tool_calls where success") > 0, "nobody has zoomed"
    again = stage.generate(server, model, store, *options)
    assert again.wait(RUN_SECONDS) == 0, printed(store)
    assert (ask(store, TURNS), server.answered - before) == (turns, paid), (
        "done work was done again"
    )
    prove(store)
    failed = ask(store, "select count(*) from attempts")
    return f"{turns} turns of {PHOTOS} traces, {paid} answers paid, {failed} requests failed"


def keep_below_a_limit_of_images(stage: Stage, server: Server, model: Path) -> str:
    """A server that takes two images: no trace is refused, and what was paid is kept."""
    store = stage.folder / "limit.db"
    run = stage.generate(server, model, store, "--protocol", "native")
    assert run.wait(RUN_SECONDS) == 0, printed(store)
    refused = "select count(*) from traces where status = 'failed'"
    assert ask(store, refused) == 0, printed(store)
    limited = ask(store, "select count(*) from attempts where http_status = 400")
    assert limited > 0, "no conversation has met the limit"
    prove(store)
    return f"{limited} conversations met the limit of 2 images, no trace failed"


def ask_again_for_broken_calls(stage: Stage, server: Server, model: Path) -> str:
    """A server that answers 500 where the model's own words are no call: the next words may be."""
    store = stage.folder / "broken.db"
    run = stage.generate(server, model, store, "--protocol", "native")
    assert run.wait(RUN_SECONDS) == 0, printed(store)
    ended = "select count(*) from traces where status in ('answered', 'exhausted')"
    assert ask(store, ended) == PHOTOS, printed(store)
    failed = ask(store, "select count(*) from attempts where http_status = 500")
    assert failed > 0, "no call was broken"
    prove(store)
    return f"{failed} broken calls were answered with 500, every trace has ended with a turn"


def prove(store: Path) -> None:
    """What `geostore verify` says of it."""
    verify = [sys.executable, "-m", "geostore", "verify", "--strict", "--store", str(store)]
    subprocess.run(verify, check=True, stdout=subprocess.DEVNULL)


def printed(store: Path) -> str:
    """The last of what runs on a store have printed."""
    return store.with_suffix(".log").read_text(errors="replace")[-2000:]


def try_server(kind: Kind, stage: Stage) -> None:
    """All that one server is asked. Raises AssertionError, ServerFailed."""
    model = stage.model(kind.name)
    log = stage.folder / f"{kind.name}.log"
    with Server(stage.environment, kind.program, *kind.arguments(model), log=log) as server:
        server.start()
        for protocol in ("text", "native"):
            report(kind.name, protocol, kill_both_and_prove(stage, server, model, protocol))
    options: tuple[str, ...] = ()
    if kind.program == "vllm":
        extra, trial = "limit", keep_below_a_limit_of_images
        options = ("--limit-mm-per-prompt", '{"image": 2}')
    else:
        extra, trial = "broken", ask_again_for_broken_calls
        model = stage.model("broken", "--broken-calls")
    log = stage.folder / f"{kind.name}-{extra}.log"
    arguments = (*kind.arguments(model), *options)
    with Server(stage.environment, kind.program, *arguments, log=log) as server:
        server.start()
        report(kind.name, extra, trial(stage, server, model))


def report(*words: str) -> None:
    """A line on standard output, at once."""
    print("{:<13}{:<8}{}".format(*words), flush=True)


def main() -> int:
    """Try every server that is named; 1 where one failed."""
    parser = argparse.ArgumentParser(prog="tests.servers", description=__doc__)
    parser.add_argument("--folder", type=Path, required=True, help="of the servers' environment")
    parser.add_argument("--server", choices=[kind.name for kind in KINDS], help="only this one")
    options = parser.parse_args()
    environment = Environment(options.folder.resolve())
    environment.install()
    work = environment.folder / "trial"
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir()
    stage = Stage(environment, work)
    for kind in KINDS:
        if options.server not in (None, kind.name):
            continue
        try:
            try_server(kind, stage)
        except (AssertionError, ServerFailed, subprocess.SubprocessError) as error:
            print(f"FAILED: {kind.name}: {error}\nfiles: {work}", file=sys.stderr)
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
