"""Reads a dataset as it lies on disk: its columns as arrays, its photos as stored bytes.

Row numbers are those of the saved dataset, and nothing here sorts, filters or
decodes. So a row number in a store names the same photo as long as the dataset's
fingerprint stays the same. Nothing here uses the network.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from geostore.dataset import columns as column_values
from geostore.dataset import files as dataset_files
from geostore.dataset.photo_files import PhotoFiles
from geostore.dataset.rows import Rows
from geostore.errors import DatasetError, ImageError
from geostore.imaging.causes import decoding_error
from geostore.records import DatasetFacts, Sample

if TYPE_CHECKING:
    from geostore.imaging import OpenedPhoto


class PhotoDataset:
    """A dataset on disk with an image, a latitude and a longitude in every row.

    Memory stays flat whatever its size, because the Arrow files are mapped, not read.
    Several threads may call its methods at once.
    """

    def __init__(self, rows: Rows, facts: DatasetFacts, *, folder: Path) -> None:
        """Wrap the rows of an opened dataset; `folder` is where relative photo paths start."""
        self._facts = facts
        self._files = PhotoFiles(
            facts.path, folder, name_of=self._name_of_file, num_rows=rows.num_rows
        )
        self._rows = rows
        roles = set(facts.column_map.values())
        nested: set[str] = set()
        for path, schema in rows.schemas():
            column_values.check_types(schema, facts.column_map, path=path)
            nested |= {field.name for field in schema if not column_values.is_scalar(field.type)}
        self._scalars = [name for name in rows.columns if name not in roles | nested]
        rows.select([*dict.fromkeys([*facts.column_map.values(), *self._scalars])])

    @classmethod
    def open(
        cls,
        path: str | os.PathLike[str],
        *,
        columns: Mapping[str, str] | None = None,
    ) -> PhotoDataset:
        """Open the dataset at `path`.

        path: a folder written by ``save_to_disk`` (a dataset, one split of a
            DatasetDict, or a DatasetDict with a single split), a Parquet file,
            a folder of them, a pattern such as ``data/train-*.parquet``, an
            image folder with a ``metadata.csv``, or such a table itself.
        columns: role to column name, for columns that have another name than
            `DEFAULT_COLUMNS`.

        A saved dataset has its fingerprint saved with it. Other kinds have none that
        outlives a copy or a `touch`, so theirs is a hash (`files.hash_files`).

        Raises DatasetError where the path does not exist or cannot be read, holds no
        dataset or several splits, or a required column is missing.
        """
        try:
            return cls._open(path, columns=columns)
        except OSError as error:
            # Asking whether a path exists fails where its folder is closed or its disk is dead.
            raise DatasetError(
                f"{error.filename or path} cannot be read: {error.strerror or error}"
            ) from error

    @classmethod
    def _open(
        cls,
        path: str | os.PathLike[str],
        *,
        columns: Mapping[str, str] | None,
    ) -> PhotoDataset:
        located = dataset_files.locate(Path(os.path.abspath(os.path.expanduser(path))))
        rows = dataset_files.load(located)
        column_map = column_values.map_columns(rows.columns, columns or {}, path=str(located.path))
        fingerprint = located.fingerprint
        if fingerprint is None:
            fingerprint = dataset_files.hash_files(located, rows, image=column_map["image"])
        facts = DatasetFacts(
            path=str(located.path),
            name=located.name,
            fingerprint=fingerprint,
            split=located.split,
            num_rows=rows.num_rows,
            columns=rows.columns,
            column_map=column_map,
        )
        return cls(rows, facts, folder=located.folder)

    @property
    def facts(self) -> DatasetFacts:
        """What the store keeps of this dataset."""
        return self._facts

    def __len__(self) -> int:
        assert self._facts.num_rows is not None  # None only for a dataset that was never opened
        return self._facts.num_rows

    def coordinates(self) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
        """Latitudes and longitudes in degrees, one per row, NaN where none can be read.

        Reads numbers that are stored as text too. Does not check their range.
        """
        return self._numbers("lat"), self._numbers("lon")

    def locatability(self) -> npt.NDArray[np.float64] | None:
        """Scores (0 hard, 1 easy), one per row, NaN where unknown; None without the column."""
        return self._numbers("locatability_score") if self._has("locatability_score") else None

    def photo_bytes(self, index: int, *, skip_missing: bool = False) -> bytes:
        """The bytes of row `index`'s photo as they are stored.

        skip_missing: a file that is not there is missing, also where its folder is gone.
        Raises ImageError(kind="missing") where the row has no photo or its file is
        lost, MachineError where it cannot be read now, DatasetError where there is no
        such row.
        """
        return self._photo_bytes(index, self._stored(*self._find(index)), skip_missing)

    def _photo_bytes(self, index: int, stored: Any, skip_missing: bool) -> bytes:
        if stored is None:
            raise ImageError(f"{self._facts.path}: row {index} has no image", kind="missing")
        if column_values.is_text(stored.type):
            return self._files.read(_file_name(stored), index, skip_missing=skip_missing)
        data: bytes = stored.as_buffer().to_pybytes()
        return data

    def _name_of_file(self, index: int) -> str | None:
        stored = self._stored(*self._find(index))
        is_file = stored is not None and column_values.is_text(stored.type)
        return _file_name(stored) if is_file else None

    def _stored(self, batch: Any, row: int) -> Any:
        """A row's photo as an Arrow scalar: its bytes, or the name of its file; None for none."""
        scalar = batch.column(self._facts.column_map["image"])[row]
        value: Any = scalar
        if pa.types.is_struct(scalar.type) and scalar.is_valid:
            fields = {field.name for field in scalar.type}
            value = scalar["bytes"] if "bytes" in fields else None
            if (value is None or not value.is_valid) and "path" in fields:
                value = scalar["path"]
        return value if value is not None and value.is_valid else None

    def read_sample(
        self,
        index: int,
        *,
        keep: Callable[[OpenedPhoto], None] | None = None,
        skip_missing: bool = False,
    ) -> Sample:
        """Row `index` without its pixels: its true place, scalar columns and photo's facts.

        Leaves out lists, structs and binary columns. Where the photo cannot be used, the
        sample says why in `exclusion`. keep: called with the photo where it can be used.
        skip_missing: as of `photo_bytes`.

        Raises DatasetError where there is no such row, or it has no coordinates,
        MachineError where the photo cannot be read now.
        """
        from geostore import imaging

        batch, row = self._find(index)

        def value(column: str) -> Any:
            return column_values.plain(batch.column(column)[row], self._rows.labels.get(column))

        def role(name: str) -> Any:
            return value(self._facts.column_map[name]) if self._has(name) else None

        lat, lon = column_values.number(role("lat")), column_values.number(role("lon"))
        if lat is None or lon is None:
            raise DatasetError(f"{self._facts.path}: row {index} has no readable coordinates")
        country = role("country")
        photo, exclusion = None, None
        try:
            data = self._photo_bytes(index, self._stored(batch, row), skip_missing)
            opened = imaging.open_photo(data)
            photo = opened.facts()
            if keep is not None:
                keep(opened)
        except ImageError as error:
            exclusion = error.kind
        except MemoryError as error:
            raise decoding_error(error) from error
        return Sample(
            sample_index=index,
            lat=lat,
            lon=lon,
            locatability_score=column_values.number(role("locatability_score")),
            country=(str(country).strip() or None) if country is not None else None,
            columns={name: value(name) for name in self._scalars},
            photo=photo,
            exclusion=exclusion,
        )

    def check_same(self, facts: DatasetFacts) -> None:
        """Raise DatasetError unless row numbers drawn from `facts` still name the same photos."""
        opened = self._facts
        if (facts.fingerprint, facts.num_rows) != (opened.fingerprint, opened.num_rows):
            raise DatasetError(
                f"{opened.path} has changed since rows were drawn from it: the store knows "
                f"{facts.num_rows:,} rows with fingerprint {facts.fingerprint}, and it has "
                f"{opened.num_rows:,} rows with fingerprint {opened.fingerprint}. It would "
                "give wrong photos; put the dataset back as it was, or begin a new store"
            )
        image = facts.column_map.get("image", opened.column_map["image"])
        if image != opened.column_map["image"]:
            raise DatasetError(
                f"{opened.path}: the store took its photos from the column {image!r}, not from "
                f"{opened.column_map['image']!r}; name it, as in --column image={image}"
            )

    def _has(self, role: str) -> bool:
        return role in self._facts.column_map

    def _numbers(self, role: str) -> npt.NDArray[np.float64]:
        pieces = self._rows.iter_column(self._facts.column_map[role])
        numbers = [column_values.to_floats(piece) for piece in pieces]
        return self._rows.reorder(np.concatenate(numbers))

    def _find(self, index: int) -> tuple[Any, int]:
        if not 0 <= index < len(self):
            raise DatasetError(
                f"{self._facts.path} has no row {index}: its {len(self):,} rows count from 0"
            )
        return self._rows.find(index)


def _file_name(scalar: Any) -> str:
    # The name of a file need not be UTF-8.
    return os.fsdecode(scalar.as_buffer().to_pybytes())
