"""The rows of a dataset, whatever its files are: whole columns, and one row at a time."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from geostore.dataset.addresses import Address

if TYPE_CHECKING:
    import datasets

_N = TypeVar("_N", bound=np.generic)


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

    def kinds(self) -> dict[str, Any]:
        """The Arrow type of each column, in order; of several, the first."""
        first: dict[str, Any] = {}
        for _, schema in self.schemas():
            first = dict(zip(schema.names, schema.types, strict=True)) | first
        return {name: first[name] for name in self.columns}

    def select(self, addresses: Sequence[Address]) -> None:
        """Choose the columns that `find` gives, with at least the parts at these addresses."""

    def find(self, row: int) -> tuple[Any, int]:
        """A record batch with the selected columns, and where in it a row stands."""

    def iter_column(self, address: Address) -> Iterator[Any]:
        """The whole column of an address, in pieces whose types may differ."""

    def find_longer(self, address: Address) -> str | None:
        """Where a list at an address has several items, in words; None: it has one at most."""

    def reorder(self, numbers: npt.NDArray[_N]) -> npt.NDArray[_N]:
        """One number for each row, from one for each value of `iter_column`."""


class TableRows(Rows):
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
        self.select([Address(name) for name in self.columns])

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

    def select(self, addresses: Sequence[Address]) -> None:
        """Choose the columns that `find` gives."""
        names = [*dict.fromkeys(address.column for address in addresses)]
        # Look up batches, because Table.slice would walk every chunk of every column for one row.
        self._batches: list[Any] = self._table.select(names).to_batches()
        lengths = [batch.num_rows for batch in self._batches]
        self._starts: list[int] = np.cumsum([0, *lengths], dtype=np.int64).tolist()

    def find(self, row: int) -> tuple[Any, int]:
        """The batch of a row, and where in it the row stands."""
        position = row if self._selected is None else int(self._selected[row])
        number = bisect_right(self._starts, position) - 1
        return self._batches[number], position - self._starts[number]

    def iter_column(self, address: Address) -> Iterator[Any]:
        """A column of the table, in one piece."""
        yield self._table.column(address.column)

    def find_longer(self, address: Address) -> str | None:
        """The first row whose list has several items; reads no item."""
        lists = address.array(self._table.column(address.column))
        if pa.types.is_null(lists.type):
            return None
        lengths = self.reorder(pc.fill_null(pc.list_value_length(lists), 0).to_numpy())
        longer = np.flatnonzero(lengths > 1)
        return f"row {longer[0]} has {lengths[longer[0]]} of them" if len(longer) else None

    def reorder(self, numbers: npt.NDArray[_N]) -> npt.NDArray[_N]:
        """The numbers of the selected rows."""
        return numbers if self._selected is None else numbers[self._selected]
