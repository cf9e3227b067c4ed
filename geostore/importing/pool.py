"""Reads files in several processes at once, in order, and no further ahead than one batch each.

Not multiprocessing, which would import the caller's script again. A process is
given a batch only when its last one was taken, so neither side can wait for the
other with a full pipe; one whose parent is gone finds its input at an end.
"""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from typing import IO, Any, TypeVar

from geostore.errors import GeostoreError, TraceImportError
from geostore.importing.files import FoundFile
from geostore.importing.reader import FileReader, ReadFile, ReadOptions, SkippedFile

Batch = Sequence[FoundFile]
Results = list[ReadFile | SkippedFile]
T = TypeVar("T")

_CHILD = """
import pickle, sys
sys.path[:] = pickle.load(sys.stdin.buffer)
from geostore.importing.pool import serve
serve()
"""


class ReaderProcesses:
    """Processes that read files. Use as a context manager; leaving it ends them."""

    def __init__(self, options: ReadOptions, count: int) -> None:
        self._workers: list[subprocess.Popen[bytes]] = []
        try:
            for _ in range(count):
                worker = subprocess.Popen(
                    [sys.executable, "-c", _CHILD],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    # Ctrl-C is for this process, which then ends them.
                    start_new_session=True,
                )
                self._workers.append(worker)
                _send(worker, sys.path)
                _send(worker, options)
        except BaseException:
            self._end()
            raise

    def __enter__(self) -> ReaderProcesses:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._end()

    def read(self, batches: Iterable[Batch]) -> Iterator[tuple[Batch, Results]]:
        """Each batch with what its files hold, in order.

        Raises DatasetError, TraceImportError where a process ended.
        """
        ahead = iter(batches)
        waiting: deque[tuple[subprocess.Popen[bytes], Batch]] = deque()
        for worker in self._workers:
            self._give(worker, ahead, waiting)
        while waiting:
            worker, batch = waiting.popleft()
            results = _receive(worker)
            self._give(worker, ahead, waiting)
            yield batch, results

    def _give(
        self,
        worker: subprocess.Popen[bytes],
        ahead: Iterator[Batch],
        waiting: deque[tuple[subprocess.Popen[bytes], Batch]],
    ) -> None:
        batch = next(ahead, None)
        if batch is not None:
            _send(worker, [found.file for found in batch])
            waiting.append((worker, batch))

    def _end(self) -> None:
        for worker in self._workers:
            worker.kill()  # they hold nothing that could be lost
            for stream in (worker.stdin, worker.stdout):
                if stream is not None:
                    with suppress(OSError):
                        stream.close()
            worker.wait()


def serve() -> None:
    """What a process does: reads batches of files from its input until that ends."""
    out = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # whatever a library prints must not stand among the results
    reader = FileReader(pickle.load(sys.stdin.buffer))
    while True:
        try:
            files = pickle.load(sys.stdin.buffer)
        except EOFError:
            return
        answer: Any
        try:
            answer = [reader.read(file) for file in files]
        except GeostoreError as error:
            answer = error
        pickle.dump(answer, out, pickle.HIGHEST_PROTOCOL)
        out.flush()


def _send(worker: subprocess.Popen[bytes], value: Any) -> None:
    try:
        pickle.dump(value, _stream(worker.stdin), pickle.HIGHEST_PROTOCOL)
        _stream(worker.stdin).flush()
    except BrokenPipeError as error:
        raise _ended(worker) from error


def _receive(worker: subprocess.Popen[bytes]) -> Results:
    try:
        answer = pickle.load(_stream(worker.stdout))
    except (EOFError, pickle.UnpicklingError) as error:
        raise _ended(worker) from error
    if isinstance(answer, GeostoreError):
        raise answer
    results: Results = answer
    return results


def _ended(worker: subprocess.Popen[bytes]) -> TraceImportError:
    return TraceImportError(
        f"a process that reads files ended (exit code {worker.wait()}); what was committed is in "
        "the store: run the same command again"
    )


def _stream(stream: IO[bytes] | None) -> IO[bytes]:
    assert stream is not None
    return stream
