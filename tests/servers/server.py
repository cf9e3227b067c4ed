"""A real server as a process of its own on 127.0.0.1: started, killed and started again."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType

_START_SECONDS = 300.0
_ANSWERED = re.compile(r'"POST /v1/chat/completions HTTP/1.1" 200')


class ServerFailed(Exception):
    """A server did not start."""


class Server:
    """A server or proxy; its address stays the same over restarts.

    Use as a context manager, which ends it. command: starts it, but for host and port.
    log: takes all that it prints. ready: the path that answers when it is ready.
    """

    def __init__(
        self,
        command: Sequence[str],
        variables: Mapping[str, str],
        *,
        log: Path,
        ready: str = "/health",
    ) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self._port = int(free.getsockname()[1])
        self._command, self._variables = command, variables
        self._log, self._ready = log, ready
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """The base URL."""
        return f"http://127.0.0.1:{self._port}/v1"

    @property
    def answered(self) -> int:
        """Requests for a completion that it answered with 200, over all its starts."""
        return len(_ANSWERED.findall(self._log.read_text(errors="replace")))

    def start(self) -> None:
        """Start it and wait until it is ready. Raises ServerFailed."""
        command = [*self._command, "--host", "127.0.0.1", "--port", str(self._port)]
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=self._variables,
                start_new_session=True,  # a server starts processes of its own, which end with it
            )
        end = time.monotonic() + _START_SECONDS
        while not self._is_ready():
            if self._process.poll() is not None or time.monotonic() > end:
                raise ServerFailed(f"{self._command[0]} did not start:\n{self._log_end()}")
            time.sleep(0.5)

    def kill(self) -> None:
        """End it and all that it started, in the middle of whatever it does."""
        if self._process is not None:
            with suppress(ProcessLookupError):  # it has ended by itself
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
            self._process = None

    def _is_ready(self) -> bool:
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(f"http://127.0.0.1:{self._port}{self._ready}", timeout=5):
                return True
        except (urllib.error.URLError, OSError):
            return False

    def _log_end(self) -> str:
        return self._log.read_text(errors="replace")[-3000:]

    def __enter__(self) -> Server:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.kill()
