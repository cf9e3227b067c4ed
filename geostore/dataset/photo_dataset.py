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
from geostore.dataset import roles
from geostore.dataset.addresses import Address, is_list, is_text, item_of
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

    form: str
    """What lies on disk, for people, such as ``3 Parquet files``."""

    is_known_by_photos: bool
    """Whether a photo that is put back makes it another dataset, as in an image folder."""

    def __init__(
        self,
        rows: Rows,
        facts: DatasetFacts,
        *,
        folder: Path,
        form: str = "",
        is_known_by_photos: bool = False,
    ) -> None:
        """Wrap the rows of an opened dataset; `folder` is where relative photo paths start."""
        self.form = form
        self.is_known_by_photos = is_known_by_photos
        self._facts = facts
        self._files = PhotoFiles(
            facts.path, folder, name_of=self._name_of_file, num_rows=rows.num_rows
        )
        self._rows = rows
        self._roles: dict[str, Address] = {}
        for role, name in facts.column_map.items():
            address = Address.find(name, rows.columns)
            assert address is not None  # as `map_columns` gives it
            self._roles[role] = address
        taken = {address.column for address in self._roles.values()}
        for path, schema in rows.schemas():
            roles.check_types(schema, facts.column_map, path=path)
            taken |= {field.name for field in schema if not column_values.is_scalar(field.type)}
        if longer := self._longer_list_of_images():
            image = facts.column_map["image"]
            raise DatasetError(
                f"{facts.path}: the column {image!r} is a list of images, and {longer}; choose the "
                f"one that is asked about, as in --column image={image}.0"
            )
        self._scalars = [name for name in rows.columns if name not in taken]
        rows.select([*self._roles.values(), *map(Address, self._scalars)])

    @classmethod
    def open(
        cls,
        path: str | os.PathLike[str],
        *,
        columns: Mapping[str, str] | None = None,
        needs_folders: bool = False,
    ) -> PhotoDataset:
        """Open the dataset at `path`.

        path: a folder written by ``save_to_disk`` (a dataset, one split of a
            DatasetDict, or a DatasetDict with a single split), a Parquet file,
            a folder of them, a pattern such as ``data/train-*.parquet``, an
            image folder with a ``metadata.csv``, or such a table itself.
        columns: role to column name, or to a part of a column (``location.lat``,
            ``coords.0``), for columns that have another name than `DEFAULT_COLUMNS`.
        needs_folders: as of `files.require_folders`.

        A saved dataset has its fingerprint saved with it. Other kinds have none that
        outlives a copy or a `touch`, so theirs is a hash (`files.hash_files`).

        Raises DatasetError where the path does not exist or cannot be read, holds no
        dataset or several splits, or a required column is missing, and MachineError
        where a folder of photos that is needed is away.
        """
        try:
            return cls._open(path, columns=columns, needs_folders=needs_folders)
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
        needs_folders: bool,
    ) -> PhotoDataset:
        located = dataset_files.locate(Path(os.path.abspath(os.path.expanduser(path))))
        rows = dataset_files.load(located)
        column_map = roles.map_columns(rows.kinds(), columns or {}, path=str(located.path))
        fingerprint = located.fingerprint
        if needs_folders:
            dataset_files.require_folders(located, rows, image=column_map["image"])
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
        return cls(
            rows,
            facts,
            folder=located.folder,
            form=located.form,
            is_known_by_photos=located.kind == "imagefolder",
        )

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
        return self._numbers("locatability_score") if "locatability_score" in self._roles else None

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
        if is_text(stored.type):
            return self._files.read(_file_name(stored), index, skip_missing=skip_missing)
        data: bytes = stored.as_buffer().to_pybytes()
        return data

    def _name_of_file(self, index: int) -> str | None:
        stored = self._stored(*self._find(index))
        is_file = stored is not None and is_text(stored.type)
        return _file_name(stored) if is_file else None

    def _stored(self, batch: Any, row: int) -> Any:
        """A row's photo as an Arrow scalar: its bytes, or the name of its file; None for none."""
        image = self._roles["image"]
        scalar = image.value(batch.column(image.column)[row])
        if is_list(scalar.type) and scalar.is_valid:
            scalar = item_of(scalar, 0)
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

        def value(address: Address) -> Any:
            # Labels are of whole columns.
            labels = None if address.steps else self._rows.labels.get(address.column)
            return column_values.plain(address.value(batch.column(address.column)[row]), labels)

        def role(name: str) -> Any:
            return value(self._roles[name]) if name in self._roles else None

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
            columns={name: value(Address(name)) for name in self._scalars},
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

    def _numbers(self, role: str) -> npt.NDArray[np.float64]:
        address = self._roles[role]
        pieces = map(address.array, self._rows.iter_column(address))
        return self._rows.reorder(np.concatenate([*map(column_values.to_floats, pieces)]))

    def _longer_list_of_images(self) -> str | None:
        image = self._roles["image"]
        kinds = (s.field(image.column).type for _, s in self._rows.schemas())
        if not any(is_list(image.kind(kind)) for kind in kinds):
            return None
        return self._rows.find_longer(image)

    def _find(self, index: int) -> tuple[Any, int]:
        if not 0 <= index < len(self):
            raise DatasetError(
                f"{self._facts.path} has no row {index}: its {len(self):,} rows count from 0"
            )
        return self._rows.find(index)


def _file_name(scalar: Any) -> str:
    # The name of a file need not be UTF-8.
    return os.fsdecode(scalar.as_buffer().to_pybytes())
