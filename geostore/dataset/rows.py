"""The rows of a dataset, whatever its files are: whole columns, and one row at a time."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    import datasets


class Rows(Protocol):
    """What a `PhotoDataset` reads. Several threads may call its methods at once."""

    num_rows: int
    """How many there are."""

    columns: tuple[str, ...]
    """The names of all columns, in order."""

    labels: Mapping[str, list[str]]
    """Column to the names of its classes, whose numbers mean nothing outside the dataset."""

    def schemas(self) -> Iterator[tuple[str, Any]]:
        """A path and the Arrow schema of what lies there, once for each schema that differs."""

    def select(self, names: Sequence[str]) -> None:
        """Choose the columns that `find` gives."""

    def find(self, row: int) -> tuple[Any, int]:
        """A record batch with the selected columns, and where in it a row stands."""

    def iter_column(self, name: str) -> Iterator[Any]:
        """A whole column, in pieces whose types may differ."""

    def reorder(self, numbers: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """One number for each row, from one for each value of `iter_column`."""


class TableRows:
    """The rows of an Arrow table, which may be mapped into memory.

    selected: the table's row for each row; None: they are the same.
    """

    def __init__(
        self,
        table: Any,
        *,
        path: str,
        labels: Mapping[str, list[str]] | None = None,
        selected: npt.NDArray[np.int64] | None = None,
    ) -> None:
        self.num_rows: int = table.num_rows if selected is None else len(selected)
        self.columns: tuple[str, ...] = tuple(table.column_names)
        self.labels: Mapping[str, list[str]] = labels or {}
        self._table = table
        self._path = path
        self._selected = selected
        self.select(self.columns)

    @classmethod
    def of(cls, dataset: datasets.Dataset, *, path: str) -> TableRows:
        """The rows of an opened dataset, with its own selection of rows."""
        indices: Any = getattr(dataset, "_indices", None)
        return cls(
            dataset.data.table,
            path=path,
            labels={
                name: list(feature.names)
                for name, feature in dataset.features.items()
                if type(feature).__name__ == "ClassLabel" and getattr(feature, "names", None)
            },
            # `datasets` keeps a selection beside the table: its row n is row selected[n] of it.
            selected=None if indices is None else indices.column(0).to_numpy().astype(np.int64),
        )

    def schemas(self) -> Iterator[tuple[str, Any]]:
        """The path of the dataset and the table's schema."""
        yield self._path, self._table.schema

    def select(self, names: Sequence[str]) -> None:
        """Choose the columns that `find` gives."""
        # Look up batches, because Table.slice would walk every chunk of every column for one row.
        self._batches: list[Any] = self._table.select(list(names)).to_batches()
        lengths = [batch.num_rows for batch in self._batches]
        self._starts: list[int] = np.cumsum([0, *lengths], dtype=np.int64).tolist()

    def find(self, row: int) -> tuple[Any, int]:
        """The batch of a row, and where in it the row stands."""
        position = row if self._selected is None else int(self._selected[row])
        number = bisect_right(self._starts, position) - 1
        return self._batches[number], position - self._starts[number]

    def iter_column(self, name: str) -> Iterator[Any]:
        """A column of the table, in one piece."""
        yield self._table.column(name)

    def reorder(self, numbers: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """The numbers of the selected rows."""
        return numbers if self._selected is None else numbers[self._selected]
