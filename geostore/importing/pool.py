"""Reads files in several child processes, in order, each no further ahead than one batch."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from functools import partial

from geostore.children import Child
from geostore.errors import ChildEnded, TraceImportError
from geostore.importing.files import FoundFile
from geostore.importing.reader import FileReader, ReadFile, ReadOptions, SkippedFile

Batch = Sequence[FoundFile]
Results = list[list[ReadFile | SkippedFile]]
"""Of each file of a batch, the traces that it holds."""


class ReaderProcesses:
    """Processes that read files. Use as a context manager; leaving it kills them."""

    def __init__(self, options: ReadOptions, count: int) -> None:
        self._children: list[Child[Batch, Results]] = []
        with ExitStack() as started:
            for _ in range(count):
                child: Child[Batch, Results] = Child(partial(_make_reader, options))
                started.callback(child.kill)
                self._children.append(child)
            self._kill = started.pop_all().close

    def __enter__(self) -> ReaderProcesses:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._kill()  # they hold nothing that could be lost

    def read(self, batches: Iterable[Batch]) -> Iterator[tuple[Batch, Results]]:
        """Each batch with what its files hold, in order.

        Raises DatasetError, TraceImportError where a process ended.
        """
        ahead = iter(batches)
        waiting: deque[tuple[Child[Batch, Results], Batch]] = deque()

        def give(child: Child[Batch, Results]) -> None:
            batch = next(ahead, None)
            if batch is not None:
                child.give([batch])
                waiting.append((child, batch))

        for child in self._children:
            give(child)
        while waiting:
            child, batch = waiting.popleft()
            try:
                results = child.result()
            except ChildEnded as error:
                raise TraceImportError(
                    f"{error}; what was committed is in the store: run the same command again"
                ) from error
            give(child)
            yield batch, results


def _make_reader(options: ReadOptions) -> Callable[[Batch], Results]:
    reader = FileReader(options)
    return lambda batch: [reader.read(entry.file) for entry in batch]
