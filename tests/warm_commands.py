"""Runs the command line in forks of one warm process, which has imported what commands import.

A fresh interpreter needs half a second to two seconds of CPU to import what a
command needs, and the tests run some hundreds of commands. A fork of a process
that has imported it needs some hundredths. The fork runs ``geostore/__main__.py``
with arguments, environment, working folder, standard output and error of its own,
and ends as any interpreter ends, so it is a process in all that a test can see.

The warm process has neither threads nor an event loop, so that a fork of it is as
good as new. It ends when its standard input does.
"""

from __future__ import annotations

import atexit
import gc
import json
import os
import runpy
import select
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import IO, Any

ROOT = Path(__file__).parent.parent
_LARGEST_JOB = 1_000_000  # bytes of a command with its environment


class WarmProcess:
    """The warm process, seen from the tests. It is started at once and warm a little later."""

    def __init__(self) -> None:
        self._socket, its_end = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _LARGEST_JOB)
        with its_end:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.warm_commands", str(its_end.fileno())],
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                cwd=ROOT,
                pass_fds=[its_end.fileno()],
                # A pool of threads of its own would make the process unfit for forking.
                env={**os.environ, "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"},
            )

    def start(self, arguments: list[str], environment: dict[str, str]) -> Command:
        """Start a command in the current folder and leave it running."""
        out, its_out = os.pipe()
        err, its_err = os.pipe()
        news, its_news = os.pipe()
        job = {"arguments": arguments, "environment": environment, "folder": os.getcwd()}
        theirs = [its_out, its_err, its_news]
        try:
            socket.send_fds(self._socket, [json.dumps(job).encode()], theirs)
        finally:
            for descriptor in theirs:
                os.close(descriptor)
        return Command(arguments, out, err, news)

    def end(self) -> None:
        """End the process; commands that still run go on."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(timeout=20)
        self._socket.close()


class Command:
    """A command that was started: the part of `subprocess.Popen` that tests use."""

    def __init__(self, arguments: list[str], out: int, err: int, news: int) -> None:
        self.args = arguments
        self.stdout: IO[str] = os.fdopen(out, encoding="utf-8")
        self.stderr: IO[str] = os.fdopen(err, encoding="utf-8")
        self.returncode: int | None = None
        """As of Popen: minus the number of the signal that ended it; None while it runs."""
        self._news = news  # first the process's number, later how it ended, a line each
        self._lines = b""
        self._printed: tuple[str, str] | None = None  # once all was read
        self._wait_for_lines(1, None)
        self.pid = int(self._lines.split()[0])

    def __enter__(self) -> Command:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._close()
        self.wait()

    def poll(self) -> int | None:
        """How the command ended, or None while it runs."""
        with suppress(subprocess.TimeoutExpired):
            self.wait(0)
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """How the command ended. Raises subprocess.TimeoutExpired."""
        if self.returncode is None:
            self._wait_for_lines(2, timeout)
            self.returncode = int(self._lines.split()[1])
            os.close(self._news)
        return self.returncode

    def communicate(self, timeout: float | None = None) -> tuple[str, str]:
        """All that the command prints, when it has ended. Raises subprocess.TimeoutExpired."""
        if self._printed is not None:
            return self._printed
        end = None if timeout is None else time.monotonic() + timeout
        texts = ["", ""]

        def read(number: int, stream: IO[str]) -> None:
            texts[number] = stream.read()

        readers = [
            threading.Thread(target=read, args=(number, stream), daemon=True)
            for number, stream in enumerate((self.stdout, self.stderr))
        ]
        for reader in readers:
            reader.start()
        for reader in readers:
            reader.join(None if end is None else max(0.0, end - time.monotonic()))
            if reader.is_alive():
                raise subprocess.TimeoutExpired(self.args, timeout or 0.0)
        self.wait(None if end is None else max(1.0, end - time.monotonic()))
        self._close()
        self._printed = texts[0], texts[1]
        return self._printed

    def send_signal(self, number: int) -> None:
        """Send a signal, unless the command has ended."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)

    def _wait_for_lines(self, count: int, timeout: float | None) -> None:
        end = None if timeout is None else time.monotonic() + timeout
        while self._lines.count(b"\n") < count:
            left = None if end is None else max(0.0, end - time.monotonic())
            if not select.select([self._news], [], [], left)[0]:
                raise subprocess.TimeoutExpired(self.args, timeout or 0.0)
            part = os.read(self._news, 100)
            if not part:
                raise AssertionError("the warm process ended before its command")
            self._lines += part

    def _close(self) -> None:
        self.stdout.close()
        self.stderr.close()


# --- the warm process ------------------------------------------------------------------------


def serve(jobs: socket.socket) -> dict[str, Any] | None:
    """Fork for every job until standard input ends; a fork returns with its job."""
    running: dict[int, int] = {}  # by process number: where to tell how it ended
    woken, wakes = os.pipe()
    os.set_blocking(wakes, False)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for pytest, which ends this process
    signal.signal(signal.SIGCHLD, lambda number, frame: None)
    signal.set_wakeup_fd(wakes)
    while True:
        sources: list[Any] = [0, jobs, woken]
        ready = select.select(sources, [], [])[0]
        if woken in ready:
            os.read(woken, 1000)
            for pid in list(running):
                ended, status = os.waitpid(pid, os.WNOHANG)
                if ended:
                    news = running.pop(pid)
                    with suppress(BrokenPipeError):
                        os.write(news, b"%d\n" % os.waitstatus_to_exitcode(status))
                    os.close(news)
        if jobs in ready:
            message, descriptors, _, _ = socket.recv_fds(jobs, _LARGEST_JOB, 3)
            out, err, news = descriptors
            pid = os.fork()
            if pid == 0:
                _become_a_process_of_its_own(out, err)
                job: dict[str, Any] = json.loads(message)
                return job
            os.write(news, b"%d\n" % pid)
            os.close(out)
            os.close(err)
            running[pid] = news
        if 0 in ready and not os.read(0, 1):
            return None


def _become_a_process_of_its_own(out: int, err: int) -> None:
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    nothing = os.open(os.devnull, os.O_RDONLY)
    for number, descriptor in enumerate((nothing, out, err)):
        os.dup2(descriptor, number)
    os.closerange(3, 1024)


def warm_up() -> None:
    """Import all that commands import, so that no fork has to."""
    import aiohttp  # noqa: F401
    import datasets  # noqa: F401
    import duckdb  # noqa: F401
    import rich.live  # noqa: F401
    import sqlite_utils.migrations  # noqa: F401
    from PIL import Image

    import geostore.cli
    import geostore.generate.request
    import geostore.query.reader  # noqa: F401

    Image.init()
    # Nor need each read the certificates anew, which no server on loopback is asked for.
    context = ssl.create_default_context()
    ssl.create_default_context = lambda *_, **__: context
    # Forks of a frozen heap collect no garbage of the parent's, which takes longer than a command.
    gc.collect()
    gc.freeze()


def _run(job: dict[str, Any]) -> None:
    """Do what ``python -m geostore`` does; raises SystemExit as it does."""
    os.environ.clear()
    os.environ.update(job["environment"])
    os.chdir(job["folder"])
    sys.argv = [str(ROOT / "geostore" / "__main__.py"), *job["arguments"]]
    try:
        runpy.run_module("geostore", run_name="__main__", alter_sys=True)
    except SystemExit as ended:
        if ended.code is None or isinstance(ended.code, int):
            _exit_codes.append(ended.code or 0)
        raise
    except BaseException as error:
        # What the interpreter does with it, but for giving back the memory at the end: a thread
        # of Arrow's that the warm process had is not in the fork and cannot be joined.
        sys.excepthook(type(error), error, error.__traceback__)
        _exit_codes.append(-signal.SIGINT if isinstance(error, KeyboardInterrupt) else 1)
        raise SystemExit(1) from None


_exit_codes: list[int] = []  # of this fork, once it is known


def _leave() -> None:
    """End a fork where only its memory is left to give back, which takes longer than a command."""
    if _exit_codes:
        sys.stdout.flush()
        sys.stderr.flush()
        if _exit_codes[0] < 0:
            signal.signal(signal.SIGINT, signal.SIG_DFL)
            os.kill(os.getpid(), -_exit_codes[0])
        os._exit(_exit_codes[0])


if __name__ == "__main__":
    # Registered first, so it is called last, when threads and other exit functions are done.
    atexit.register(_leave)
    warm_up()
    with socket.socket(fileno=int(sys.argv[1])) as waiting_jobs:
        job = serve(waiting_jobs)
        if job is not None:
            waiting_jobs.detach()  # the fork has closed it
    if job is not None:
        _run(job)
