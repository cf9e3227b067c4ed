"""Runs generate against real servers: vLLM on the CPU, transformers' own, and LiteLLM before it.

``make test-servers`` runs it; it takes about twelve minutes, and about 5 GB and some
more minutes the first time. The teacher is a tiny model that `make_model` writes.
For each server and protocol, a run of generate is killed in the middle and started
again, the server is killed in the middle and started again, and then the store is
proven: no trace failed, nothing was paid for twice but what a kill met in flight,
and `verify` derives every request and image again. Besides, vLLM is limited to two
images, and transformers gets calls that it cannot read. LiteLLM stays up while the
server behind it is away, and answers in its place.
"""

from __future__ import annotations

import argparse
import os
import secrets
import shutil
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from tests.conftest import photo_bytes, save_dataset
from tests.servers.environment import Environment
from tests.servers.proxy import litellm
from tests.servers.server import Server, ServerFailed
from tests.teacher_server import wait_until

PHOTOS = 24
CONCURRENCY = 4
PROTOCOLS = ("text", "native")
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

    def server(self, stage: Stage, model: Path, log: str, *options: str) -> Server:
        """A server, not yet started, of a model's folder; the model's name is the path."""
        usual = VLLM if self.program == "vllm" else ("--device", "cpu", "--log-level", "info")
        environment = stage.environment
        command = environment.command(self.program, "serve", model, *usual, *options)
        return Server(command, environment.variables(), log=stage.folder / f"{log}.log")


@dataclass(frozen=True)
class Address:
    """Where a run asks."""

    url: str
    model: str | Path
    """The name under which the model is served; it ends in one that tells its family."""

    key: str = "none"


KINDS = (Kind("vLLM", "vllm"), Kind("transformers", "transformers"))
PROXY = "LiteLLM"


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

    def generate(self, address: Address, store: Path, *options: str) -> subprocess.Popen[bytes]:
        """Start a run on all photos; what it prints goes to a file beside the store."""
        arguments = [
            *("generate", "--dataset-path", self.photos, "--store", store, "--num-samples", "0"),
            *("--base-url", address.url, "--model", address.model, "--max-tokens", "64"),
            *("--concurrency", str(CONCURRENCY), "--quiet", *options),
        ]
        with store.with_suffix(".log").open("ab") as log:
            return subprocess.Popen(
                [sys.executable, "-m", "geostore", *map(str, arguments)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env={k: v for k, v in os.environ.items() if not k.startswith("OPENAI_")}
                | {"OPENAI_API_KEY": address.key},
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


def kill_both_and_prove(
    stage: Stage, server: Server, address: Address, name: str, protocol: str
) -> str:
    """One protocol through a kill of generate and a kill of the server; what was proven."""
    store = stage.folder / f"{name}-{protocol}.db"
    before = server.answered
    options = ("--protocol", protocol)
    first = stage.generate(address, store, *options)
    wait_for_turns(first, store, PHOTOS // 4)
    first.kill()
    first.wait()

    second = stage.generate(address, store, *options)
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
    again = stage.generate(address, store, *options)
    assert again.wait(RUN_SECONDS) == 0, printed(store)
    assert (ask(store, TURNS), server.answered - before) == (turns, paid), (
        "done work was done again"
    )
    prove(store)
    failed = ask(store, "select count(*) from attempts")
    if address.url != server.url:
        by_proxy = ask(store, "select count(*) from attempts where http_status >= 500")
        assert by_proxy > 0, "the proxy has not answered for its server"
    return f"{turns} turns of {PHOTOS} traces, {paid} answers paid, {failed} requests failed"


def keep_below_a_limit_of_images(stage: Stage, address: Address) -> str:
    """A server that takes two images: no trace is refused, and what was paid is kept."""
    store = stage.folder / "limit.db"
    # How many conversations end at the limit is up to the model, so it is no failure of the run.
    run = stage.generate(address, store, "--protocol", "native", "--max-failed-share", "1")
    assert run.wait(RUN_SECONDS) == 0, printed(store)
    refused = "select count(*) from traces where status = 'failed'"
    assert ask(store, refused) == 0, printed(store)
    limited = ask(store, "select count(*) from attempts where http_status = 400")
    assert limited > 0, "no conversation has met the limit"
    prove(store)
    return f"{limited} conversations met the limit of 2 images, no trace failed"


def ask_again_for_broken_calls(stage: Stage, address: Address) -> str:
    """A server that answers 500 where the model's own words are no call: the next words may be."""
    store = stage.folder / "broken.db"
    run = stage.generate(address, store, "--protocol", "native")
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
    with kind.server(stage, model, kind.name) as server:
        server.start()
        address = Address(server.url, model)
        for protocol in PROTOCOLS:
            proven = kill_both_and_prove(stage, server, address, kind.name, protocol)
            report(kind.name, protocol, proven)
    options: tuple[str, ...] = ()
    if kind.program == "vllm":
        extra, trial = "limit", keep_below_a_limit_of_images
        options = ("--limit-mm-per-prompt", '{"image": 2}')
    else:
        extra, trial = "broken", ask_again_for_broken_calls
        model = stage.model("broken", "--broken-calls")
    with kind.server(stage, model, f"{kind.name}-{extra}", *options) as server:
        server.start()
        report(kind.name, extra, trial(stage, Address(server.url, model)))


def try_proxy(stage: Stage) -> None:
    """LiteLLM before transformers: it answers for a server that is away, and nothing is lost.

    Raises AssertionError, ServerFailed.
    """
    model = stage.model(PROXY)
    key = f"sk-{secrets.token_hex(32)}"
    behind = KINDS[-1].server(stage, model, f"{PROXY}-behind")
    proxy = litellm(stage.environment, stage.folder, MODEL, behind, model, key)
    with behind, proxy:
        behind.start()
        proxy.start()
        address = Address(proxy.url, MODEL, key)
        for protocol in PROTOCOLS:
            report(PROXY, protocol, kill_both_and_prove(stage, behind, address, PROXY, protocol))


def report(*words: str) -> None:
    """A line on standard output, at once."""
    print("{:<13}{:<8}{}".format(*words), flush=True)


def main() -> int:
    """Try every server that is named; 1 where one failed."""
    trials = {kind.name: partial(try_server, kind) for kind in KINDS} | {PROXY: try_proxy}
    parser = argparse.ArgumentParser(prog="tests.servers", description=__doc__)
    parser.add_argument("--folder", type=Path, required=True, help="of the servers' environment")
    parser.add_argument("--server", choices=trials, help="only this one")
    options = parser.parse_args()
    environment = Environment(options.folder.resolve())
    environment.install()
    work = environment.folder / "trial"
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir()
    stage = Stage(environment, work)
    for name, trial in trials.items():
        if options.server not in (None, name):
            continue
        try:
            trial(stage)
        except (AssertionError, ServerFailed, subprocess.SubprocessError) as error:
            print(f"FAILED: {name}: {error}\nfiles: {work}", file=sys.stderr)
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
