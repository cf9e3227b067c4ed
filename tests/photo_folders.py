"""Datasets whose photos are files of their own, and ways to make them unreadable for real."""

from __future__ import annotations

import os
import resource
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.conftest import photo_bytes

EIO_FILE = "/proc/self/mem"
"""Opens as any file does; reading its first byte fails with EIO, as on a broken disk."""

_NOBODY = 65534


def save_names(path: Path, names: Sequence[str]) -> Path:
    """A dataset as `save_to_disk` writes it, with the photos' paths in place of the photos."""
    import datasets

    count = len(names)
    values = {
        "image": list(names),
        "lat": [10.0 + row for row in range(count)],
        "lon": [20.0 + row for row in range(count)],
    }
    datasets.Dataset.from_dict(values).save_to_disk(str(path))
    return path


def photos_on_a_disk(tmp_path: Path, count: int) -> tuple[Path, Path]:
    """A dataset whose photos lie in another folder; the dataset and that folder."""
    disk = tmp_path / "mnt" / "photos"
    disk.mkdir(parents=True)
    names = []
    for row in range(count):
        file = disk / f"{row}.jpg"
        file.write_bytes(photo_bytes(row, size=(64, 48)))
        names.append(str(file))
    return save_names(tmp_path / "dataset", names), disk


@contextmanager
def no_more_open_files() -> Iterator[None]:
    """Every descriptor that is free is above the limit."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    lowest = os.open(os.devnull, os.O_RDONLY)
    os.close(lowest)
    resource.setrlimit(resource.RLIMIT_NOFILE, (lowest, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@contextmanager
def without_rights() -> Iterator[Path]:
    """A folder that anybody may use, and no rights of root to read what is not for all."""
    with tempfile.TemporaryDirectory(prefix="geostore-rights-") as name:
        os.chmod(name, 0o777)
        user = os.geteuid()
        if user == 0:
            os.seteuid(_NOBODY)
        try:
            yield Path(name)
        finally:
            if user == 0:
                os.seteuid(user)
