"""Reads photos that are files beside a dataset, and judges those that cannot be read.

Only a file that is not there while its neighbours are is missing. A folder that is
gone, empty, or without any of its photos may be on a disk that is not mounted.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from geostore.errors import ImageError, MachineError
from geostore.imaging.causes import ABSENT, GO_ON, NO_SUCH_NAME, cause_of, patiently

_ROWS_AROUND = 2048
"""Rows on either side of one whose file cannot be read, in which its neighbours are looked for."""

_ROWS_NEAR = 64

_MOST_NEIGHBOURS = 32


@dataclass(frozen=True, slots=True)
class _Neighbours:
    """What the other photos of a folder tell."""

    looked_at: int
    """How many were tried, up to the first that can be read."""
    is_one_there: bool
    """Whether one can be read."""


class PhotoFiles:
    """The photo files of one dataset. Several threads may use it at once.

    path: of the dataset, for messages. folder: where relative names start. name_of:
    the file's name in a row, None where it has none. num_rows: of the dataset.
    """

    def __init__(
        self, path: str, folder: Path, *, name_of: Callable[[int], str | None], num_rows: int
    ) -> None:
        self._path = path
        self._folder = folder
        self._name_of = name_of
        self._num_rows = num_rows

    def read(self, name: str, index: int, *, skip_missing: bool = False) -> bytes:
        """The bytes of row `index`'s file.

        skip_missing: a file that is not there is missing, whatever its neighbours are.
        Raises ImageError(kind="missing") where the file is lost or can be none,
        MachineError where it cannot be read now.
        """
        if "://" in name:
            raise self._missing(index, f"{name} is not a local file")
        file = self._folder / name
        try:
            return patiently(file.read_bytes)
        except ValueError as error:  # a NUL in the name
            raise self._missing(index, str(error)) from error
        except OSError as error:
            raise self._judged(error, file, index, skip_missing=skip_missing) from error

    def _judged(
        self, error: OSError, file: Path, index: int, *, skip_missing: bool
    ) -> ImageError | MachineError:
        cause = cause_of(error) or ABSENT
        why = f"{error.strerror}: {file}"
        if cause is NO_SUCH_NAME or (cause is ABSENT and skip_missing):
            return self._missing(index, why)
        alone = False
        if cause is ABSENT:
            gone = self._what_is_gone(file, index)
            if gone is None:
                return self._missing(index, why)
            why = gone
        else:
            alone = self._neighbours(_plain(file), index, by_links=False).is_one_there
        return MachineError(
            f"{self._path}: the photo of row {index} cannot be read: {why}; "
            f"{cause.remedy}, {GO_ON}",
            condition=cause.condition,
            alone=alone,
        )

    def _what_is_gone(self, file: Path, index: int) -> str | None:
        """Why a file that is not there need not be lost; None where it is lost."""
        # Where the file is a link, its neighbours are those of the file that it leads to.
        place = os.path.realpath(file)
        folder = os.path.dirname(place)
        if not os.path.isdir(folder):
            return f"its folder {folder} is not there"
        neighbours = self._neighbours(place, index, by_links=place != _plain(file))
        if neighbours.is_one_there:
            return None
        try:
            is_empty = not os.listdir(folder)
        except OSError as error:
            return f"its folder {folder} cannot be listed ({error.strerror})"
        if is_empty:
            return f"its folder {folder} is empty"
        if not neighbours.looked_at:
            return None  # the only photo of a folder that holds other things
        count = neighbours.looked_at
        others = "the other one" if count == 1 else f"{count} others"
        return f"neither it nor {others} of the folder {folder} that were looked for are there"

    def _missing(self, index: int, why: str) -> ImageError:
        return ImageError(
            f"{self._path}: the photo of row {index} is missing: {why}", kind="missing"
        )

    def _neighbours(self, place: str, index: int, *, by_links: bool) -> _Neighbours:
        """Try other files of the dataset below a file's folder, those of near rows first.

        by_links: whether the names of files have to be followed to where they lie.
        """
        tried: set[str] = set()
        below = os.path.dirname(place).rstrip(os.sep) + os.sep
        for row in _rows_around(index, self._num_rows):
            name = self._name_of(row)
            if not name or "://" in name or "\0" in name:
                continue
            other = self._folder / name
            other_place = os.path.realpath(other) if by_links else _plain(other)
            if other_place in tried or other_place == place or not other_place.startswith(below):
                continue
            tried.add(other_place)
            if _can_be_read(other):
                return _Neighbours(len(tried), is_one_there=True)
            if len(tried) == _MOST_NEIGHBOURS:
                break
        return _Neighbours(len(tried), is_one_there=False)


def _can_be_read(file: Path) -> bool:
    try:
        # A byte is asked for, because some disks open files that they cannot read.
        with file.open("rb") as stream:
            stream.read(1)
    except OSError:
        return False
    return True


def _plain(file: Path) -> str:
    return os.path.normpath(file)


def _rows_around(index: int, num_rows: int) -> Iterator[int]:
    """Near rows first; each stretch forwards, because Parquet is read forwards."""
    near, far = _ROWS_NEAR, _ROWS_AROUND
    yield from range(index + 1, min(index + near + 1, num_rows))
    yield from range(max(index - near, 0), index)
    yield from range(index + near + 1, min(index + far + 1, num_rows))
    yield from range(max(index - far, 0), max(index - near, 0))
