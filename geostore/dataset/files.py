"""Recognises the kind of dataset at a path, and loads it as it was saved.

Every dataset is local: a path that does not exist is an error, never the name of
something to download.
"""

from __future__ import annotations

import gc
import glob
import hashlib
import json
import os
import re
import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import pyarrow as pa
import pyarrow.compute as pc

from geostore.dataset.parquet import ParquetRows
from geostore.dataset.rows import Rows, TableRows
from geostore.errors import DatasetError

if TYPE_CHECKING:
    import datasets

_IMAGE_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff"})
_METADATA = ("metadata.csv", "metadata.jsonl", "metadata.parquet")
_SHARD = re.compile(r"(?P<split>.+?)-[0-9]{5}-of-[0-9]{5}$")
_LISTED = 12


@dataclass(frozen=True, slots=True)
class Located:
    """A dataset that was recognised but not loaded yet."""

    kind: Literal["saved", "parquet", "imagefolder"]
    """``saved``: written by ``save_to_disk``."""
    path: Path
    """Where it lies; a pattern for some Parquet files."""
    folder: Path
    """Where relative photo paths start."""
    name: str
    """Short, and fit for the names of traces and files."""
    split: str | None = None
    """None where it has no splits."""
    fingerprint: str | None = None
    """As saved with the dataset; None where none was saved."""
    files: tuple[Path, ...] = ()
    """The Arrow or Parquet files, in row order where that is known before loading."""


def locate(path: Path) -> Located:
    """Recognise the dataset at an absolute path, without importing `datasets`.

    Raises DatasetError, which lists the folder, where the path does not exist, holds no
    dataset, or holds several splits.
    """
    if not path.exists():
        files = tuple(sorted(path.parent.glob(path.name))) if "*" in path.name else ()
        if files and all(file.suffix == ".parquet" for file in files):
            return _parquet(path, path.parent, files)
        raise DatasetError(f"there is nothing at {path}; {_nearest_listing(path.parent)}")
    if path.is_file():
        if path.suffix == ".parquet":
            return Located("parquet", path, path.parent, _trace_name(path.stem), files=(path,))
        raise DatasetError(
            f"{path} is no dataset: give a folder written by save_to_disk, a Parquet file, "
            "or an image folder"
        )
    if (path / "state.json").is_file() and (path / "dataset_info.json").is_file():
        return _saved(path)
    if (path / "dataset_dict.json").is_file():
        splits = _read_json(path / "dataset_dict.json").get("splits") or []
        if len(splits) != 1:
            raise _several_splits(path, [str(path / str(split)) for split in splits])
        return locate(path / str(splits[0]))
    images = next(_files(path, _IMAGE_SUFFIXES), None) is not None
    described = any((path / name).is_file() for name in _METADATA)
    shards = () if images and described else tuple(_files(path, {".parquet"}))
    shards = tuple(file for file in shards if file.name not in _METADATA)
    if shards:
        return _parquet(path, path, tuple(sorted(shards, key=lambda file: file.as_posix())))
    if images:
        return Located("imagefolder", path, path, _trace_name(path.name))
    raise DatasetError(
        f"{path} is no dataset (no state.json as save_to_disk writes it, no Parquet files, "
        f"no images); {_listing(path)}"
    )


def _saved(path: Path) -> Located:
    state = _read_json(path / "state.json")
    # datasets 1.x writes these for a selection of rows. Later versions ignore them and would give
    # other rows under the same numbers.
    if state.get("_indices_data_files") or state.get("_indices_files"):
        raise DatasetError(
            f"{path} was saved with a selection of rows by an old version of datasets, which "
            "later versions do not read; save it again after flatten_indices()"
        )
    if state.get("_data_files") == []:  # save_to_disk writes this for no rows, and cannot load it
        raise DatasetError(f"{path} has no rows")
    split = state.get("_split")
    inside = path.name == split or (path.parent / "dataset_dict.json").is_file()
    name = f"{path.parent.name}.{path.name}" if inside and path.parent.name else path.name
    fingerprint = state.get("_fingerprint")
    return Located(
        "saved",
        path,
        path,
        _trace_name(name),
        split=split if isinstance(split, str) else None,
        fingerprint=fingerprint if isinstance(fingerprint, str) and fingerprint else None,
        # `datasets` leaves the results of sort and map beside the data, as cache-*.
        files=tuple(f for f in sorted(path.glob("*.arrow")) if not f.name.startswith("cache-")),
    )


def _parquet(path: Path, folder: Path, files: tuple[Path, ...]) -> Located:
    """Parquet shards. Raises DatasetError where their names, as on the Hub, name several splits."""
    by_split: dict[str | None, Path] = {}
    for file in files:
        shard = _SHARD.match(file.stem)
        by_split.setdefault(shard["split"] if shard else None, file)
    if len(by_split) > 1:
        choices = [
            str(file if split is None else file.parent / f"{split}-*.parquet")
            for split, file in by_split.items()
        ]
        raise _several_splits(path, choices)
    split = next(iter(by_split))
    name = folder.name if split is None else f"{folder.name}.{split}"
    return Located("parquet", path, folder, _trace_name(name), split=split, files=files)


def load(located: Located, *, cache_dir: str | os.PathLike[str] | None) -> Rows:
    """Open a dataset where it lies, without network, progress bars or log lines.

    Raises DatasetError where it cannot be read, or holds several splits or no rows.
    """
    if located.kind == "parquet":
        parquet = ParquetRows(located.files)
        if parquet.num_rows == 0:
            raise DatasetError(f"{located.path} has no rows")
        return parquet
    from datasets.exceptions import DatasetsError

    try:
        with _quiet_and_offline():
            dataset = _load(located, cache_dir=cache_dir)
    except (DatasetsError, pa.ArrowException, OSError, ValueError, TypeError, LookupError) as error:
        raise DatasetError(
            f"{located.path} cannot be read as a dataset: {_first_line(error)}"
        ) from error
    return TableRows.of(dataset, path=str(located.path))


def _load(located: Located, *, cache_dir: str | os.PathLike[str] | None) -> datasets.Dataset:
    import datasets

    if located.kind == "saved":
        saved = datasets.load_from_disk(str(located.path), keep_in_memory=False)
        if not isinstance(saved, datasets.Dataset):
            raise DatasetError(f"{located.path} holds several splits; give one of its folders")
        return saved
    loaded = datasets.load_dataset(
        located.kind,
        data_dir=glob.escape(str(located.path)),
        cache_dir=None if cache_dir is None else str(cache_dir),
        keep_in_memory=False,
    )
    # This loader leaves its metadata file open. Collected later, the file would print a warning
    # in the middle of something else.
    gc.collect()
    if len(loaded) != 1:
        raise _several_splits(located.path, [str(located.path / str(split)) for split in loaded])
    dataset: datasets.Dataset = next(iter(loaded.values()))
    return dataset


@contextmanager
def _quiet_and_offline() -> Iterator[None]:
    """Keep `datasets` from drawing bars, logging, and asking its servers about loader names."""
    import datasets

    bars = not datasets.are_progress_bars_disabled()
    verbosity = datasets.logging.get_verbosity()
    offline = datasets.config.HF_HUB_OFFLINE
    datasets.disable_progress_bars()
    datasets.logging.set_verbosity(datasets.logging.CRITICAL)
    datasets.config.HF_HUB_OFFLINE = True
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        datasets.config.HF_HUB_OFFLINE = offline
        datasets.logging.set_verbosity(verbosity)
        if bars:
            datasets.enable_progress_bars()


def hash_files(located: Located, rows: Rows, *, image: str) -> str:
    """A fingerprint for a dataset that was saved without one.

    It covers the names and sizes of the Arrow or Parquet files, and the Parquet
    footers. For an image folder it covers the photos' names and sizes in row order,
    because `datasets` orders them anew whenever its copy is gone. It does not notice a
    photo or value that was replaced by one of the same size.
    """
    digest = hashlib.sha256(located.kind.encode())
    for file in located.files:
        name = file.relative_to(located.folder).as_posix()
        digest.update(f"{name}\0{file.stat().st_size}\n".encode("utf-8", "surrogateescape"))
        if located.kind == "parquet":
            digest.update(_parquet_footer(file))
    if located.kind == "imagefolder":
        root = located.folder.resolve()  # as the loader does
        chunks = (pc.struct_field(piece, "path").chunks for piece in rows.iter_column(image))
        for name in (n for chunk in chain.from_iterable(chunks) for n in chunk.to_pylist()):
            file = root / (name or "")
            size = file.stat().st_size if name and file.is_file() else -1
            relative = os.path.relpath(file, root)
            digest.update(f"{relative}\0{size}\n".encode("utf-8", "surrogateescape"))
    return f"files-{digest.hexdigest()[:16]}"


def _parquet_footer(file: Path) -> bytes:
    """The footer of a Parquet file: schema, row counts, offsets and statistics.

    Source: the Parquet format's file layout: footer, its length in 4 bytes, "PAR1".
    """
    with file.open("rb") as stream:
        size = stream.seek(0, os.SEEK_END)
        stream.seek(max(size - 8, 0))
        length = int.from_bytes(stream.read(4), "little")
        stream.seek(max(size - 8 - length, 0))
        return stream.read(length)


def _files(folder: Path, suffixes: Iterable[str]) -> Iterator[Path]:
    """Files below a folder with one of these suffixes in any case, but no hidden ones."""
    wanted = frozenset(suffixes)
    for parent, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in names:
            if not name.startswith(".") and os.path.splitext(name)[1].lower() in wanted:
                yield Path(parent, name)


def _read_json(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        raise DatasetError(f"{path} cannot be read: {_first_line(error)}") from error
    if not isinstance(content, dict):
        raise DatasetError(f"{path} is not what save_to_disk writes: no JSON object")
    return content


def _several_splits(path: Path, choices: list[str]) -> DatasetError:
    if not choices:
        return DatasetError(f"{path} is a DatasetDict without splits; {_listing(path)}")
    return DatasetError(f"{path} holds several splits; choose one: {', '.join(choices)}")


def _trace_name(name: str) -> str:
    """A name that can stand in the name of a trace and of a file."""
    return re.sub(r"[^A-Za-z0-9_.-]+", "_", name).strip("._") or "dataset"


def _nearest_listing(folder: Path) -> str:
    while not folder.is_dir() and folder != folder.parent:
        folder = folder.parent
    return _listing(folder)


def _listing(folder: Path) -> str:
    try:
        names = sorted(name for name in os.listdir(folder) if not name.startswith("."))
    except OSError:
        return f"{folder} cannot be listed"
    more = f" and {len(names) - _LISTED:,} more" if len(names) > _LISTED else ""
    return f"{folder} holds: {', '.join(names[:_LISTED]) or 'nothing'}{more}"


def _first_line(error: BaseException) -> str:
    # `datasets` wraps the cause in "An error occurred while generating the dataset".
    while error.__cause__ is not None:
        error = error.__cause__
    text = "" if isinstance(error, LookupError) else str(error).strip()
    return text.splitlines()[0] if text else f"{type(error).__name__} {error}".strip()
