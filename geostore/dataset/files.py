"""Recognises the kind of dataset at a path, and loads it as it was saved.

Every dataset is local: a path that does not exist is an error, never the name of
something to download.
"""

from __future__ import annotations

import glob
import hashlib
import json
import os
import re
import stat
import warnings
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import pyarrow as pa
import pyarrow.compute as pc

from geostore.dataset import metadata
from geostore.dataset.addresses import Address, is_list, is_text, item
from geostore.dataset.parquet import ParquetRows
from geostore.dataset.rows import Rows, TableRows
from geostore.errors import DatasetError, MachineError
from geostore.imaging.causes import ABSENT, NO_SUCH_NAME, cause_of
from geostore.text.phrases import format_number_of

_IMAGE_SUFFIXES = frozenset(
    {".jpg", ".jpeg", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff", ".avif", ".heic", ".heif"}
)
_SHARD = re.compile(r"(?P<split>.+?)-[0-9]{5}-of-[0-9]{5}$")
_SPLIT_WORD = re.compile(
    r"(?P<split>train|training|validation|valid|val|dev|test|testing|eval|evaluation)"
    r"([-_.]?[0-9]+)?",
    re.IGNORECASE,
)
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
    """The Arrow or Parquet files, or the tables of photos, in row order."""

    @property
    def form(self) -> str:
        """What it is, for people, such as ``3 Parquet files``."""
        if self.kind == "imagefolder":
            return "a folder of images"
        kind = "Arrow" if self.kind == "saved" else "Parquet"
        return format_number_of(len(self.files), f"{kind} file")


def locate(path: Path) -> Located:
    """Recognise the dataset at an absolute path, without importing `datasets`.

    Raises DatasetError, which lists the folder, where the path does not exist, holds no
    dataset, or holds several splits.
    """
    if not path.exists():
        # A folder may have brackets in its name, so only what follows the last one is a pattern.
        folder = next(parent for parent in path.parents if parent.is_dir())
        files = _matching(folder, path.relative_to(folder).as_posix())
        if files and all(file.suffix.lower() == ".parquet" for file in files):
            return _parquet(path, folder, files)
        raise DatasetError(f"there is nothing at {path}; {_listing(folder)}")
    if path.is_file():
        if path.suffix.lower() == ".parquet":
            return Located("parquet", path, path.parent, _trace_name(path.stem), files=(path,))
        if path.suffix.lower() in metadata.SUFFIXES:
            return Located("imagefolder", path, path.parent, _trace_name(path.stem), files=(path,))
        raise DatasetError(
            f"{path} is no dataset: give a folder written by save_to_disk, Parquet, an image "
            "folder, or the table (.csv, .tsv or .jsonl) that names the photos"
        )
    if (path / "state.json").is_file() and (path / "dataset_info.json").is_file():
        return _saved(path)
    if (path / "dataset_dict.json").is_file():
        splits = _read_json(path / "dataset_dict.json").get("splits") or []
        if len(splits) != 1:
            raise _several_splits(path, [str(path / str(split)) for split in splits])
        return locate(path / str(splits[0]))
    contents = _Contents.of(path)
    if contents.tables and (contents.has_images or not contents.parquet):
        return _image_folder(path, contents.tables)
    if contents.parquet:
        return _parquet(path, path, contents.parquet)
    if contents.other_tables:
        raise DatasetError(
            f"{path} holds tables, but no metadata.csv; name the table that names the photos: "
            + ", ".join(map(str, contents.other_tables[:_LISTED]))
        )
    if contents.has_images:
        raise DatasetError(
            f"{path} holds photos, but no metadata.csv that says where they were taken, with the "
            "columns file_name, lat and lon"
        )
    raise DatasetError(
        f"{path} is no dataset (no state.json as save_to_disk writes it, no Parquet files, "
        f"no images); {_listing(path)}"
    )


@dataclass(frozen=True, slots=True)
class _Contents:
    """What lies in a folder and below it, without hidden files; in the order of the names."""

    tables: tuple[Path, ...]
    """Those that have the name of a table of photos."""
    other_tables: tuple[Path, ...]
    """Those that may name photos."""
    parquet: tuple[Path, ...]
    """The other Parquet files."""
    has_images: bool
    """Whether there is any photo."""

    @classmethod
    def of(cls, folder: Path) -> _Contents:
        tables, others, parquet, has_images = [], [], [], False
        for parent, folders, names in os.walk(folder):
            folders[:] = [name for name in folders if not name.startswith(".")]
            for name in names:
                suffix = os.path.splitext(name)[1].lower()
                # Almost all of a million files are images, so no path is made for those.
                if name.startswith("."):
                    continue
                if suffix in _IMAGE_SUFFIXES:
                    has_images = True
                elif name.lower() in metadata.NAMES:
                    tables.append(Path(parent, name))
                elif suffix == ".parquet":
                    parquet.append(Path(parent, name))
                elif suffix in metadata.SUFFIXES:
                    others.append(Path(parent, name))
        return cls(_in_order(tables), _in_order(others), _in_order(parquet), has_images)


def _in_order(files: Iterable[Path]) -> tuple[Path, ...]:
    return tuple(sorted(files, key=lambda file: file.as_posix()))


def _matching(folder: Path, pattern: str) -> tuple[Path, ...]:
    return _in_order(folder.glob(pattern)) if "*" in pattern else ()


def _image_folder(path: Path, tables: Sequence[Path]) -> Located:
    """Photos under one table, or several. Raises DatasetError where they are several splits."""
    kinds = sorted({table.suffix.lower() for table in tables})
    if len(kinds) > 1:
        raise DatasetError(
            f"{path} holds tables of several kinds ({', '.join(kinds)}), which may name the same "
            "photos; leave one, or name one: " + ", ".join(map(str, tables))
        )
    parts = {table.relative_to(path).parts[0] for table in tables}
    if len(parts) > 1 and all(map(_SPLIT_WORD.fullmatch, parts)):
        raise _several_splits(path, [str(path / part) for part in sorted(parts)])
    return Located("imagefolder", path, path, _trace_name(path.name), files=tuple(tables))


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
    by_split: dict[str | None, list[Path]] = {}
    for file in files:
        by_split.setdefault(_split_of(file, folder), []).append(file)
    if len(by_split) > 1:
        choices = [_choice(split, shards, folder) for split, shards in by_split.items()]
        raise _several_splits(path, choices)
    shard = _SHARD.match(files[0].stem)
    split = shard["split"] if shard else None
    name = folder.name if split is None else f"{folder.name}.{split}"
    return Located("parquet", path, folder, _trace_name(name), split=split, files=files)


def _split_of(file: Path, folder: Path) -> str | None:
    """The split that a file's name tells, or the name of a folder between it and `folder`."""
    if shard := _SHARD.match(file.stem):
        return shard["split"]
    if word := _SPLIT_WORD.fullmatch(file.stem):
        return word["split"]
    parts = file.relative_to(folder).parts[:-1]
    return next((part for part in reversed(parts) if _SPLIT_WORD.fullmatch(part)), None)


def _choice(split: str | None, files: Sequence[Path], folder: Path) -> str:
    """A path that opens one split of several: a file, a pattern or a folder."""
    file = files[0]
    is_shard = _SHARD.match(file.stem) is not None
    if len(files) == 1 and not is_shard:
        return str(file)
    name = "" if split is None else glob.escape(split)
    patterns = [f"{name}-*{file.suffix}", f"{name}*{file.suffix}"]
    for start in (file.parent, folder / "**"):
        for pattern in patterns:
            if _matching(folder, (start / pattern).relative_to(folder).as_posix()) == tuple(files):
                return str(start / pattern)
    for parent in file.parents[: len(file.relative_to(folder).parts) - 1]:
        if _Contents.of(parent).parquet == tuple(files):
            return str(parent)
    return str(folder / "**" / patterns[not is_shard])


def load(located: Located) -> Rows:
    """Open a dataset where it lies, without network, progress bars or log lines.

    Raises DatasetError where it cannot be read, or holds several splits or no rows.
    """
    rows: Rows
    if located.kind == "saved":
        rows = _load_saved(located.path)
    elif located.kind == "parquet":
        rows = ParquetRows(located.files)
    else:
        table = metadata.read_tables(located.files, located.folder)
        rows = TableRows(table, path=str(located.path))
    if rows.num_rows == 0:
        raise DatasetError(f"{located.path} has no rows")
    return rows


def _load_saved(path: Path) -> Rows:
    import datasets
    from datasets.exceptions import DatasetsError

    try:
        with _quiet_and_offline():
            dataset = datasets.load_from_disk(str(path), keep_in_memory=False)
    except (DatasetsError, pa.ArrowException, OSError, ValueError, TypeError, LookupError) as error:
        raise DatasetError(f"{path} cannot be read as a dataset: {_first_line(error)}") from error
    if not isinstance(dataset, datasets.Dataset):
        raise DatasetError(f"{path} holds several splits; give one of its folders")
    return TableRows.of(dataset, path=str(path))


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
    footers. For an image folder it covers the photos' names and sizes in row order.
    It does not notice a photo or value that was replaced by one of the same size.
    """
    digest = hashlib.sha256(located.kind.encode())

    def add(name: str, size: int) -> None:
        digest.update(f"{name}\0{size}\n".encode("utf-8", "surrogateescape"))

    if located.kind == "imagefolder":
        root = located.folder
        example, is_one_there = None, False
        for name in _photo_files(rows, image):
            file = root / (name or "")
            size = _size(file)
            add(os.path.relpath(file, root), size)
            is_one_there = is_one_there or size >= 0
            example = example or file
        if example and not is_one_there:
            raise DatasetError(
                f"{located.path}: none of its photos is there, such as {example}; mount the "
                "disk where they are, or put them back"
            )
        return f"files-{digest.hexdigest()[:16]}"
    for file in located.files:
        add(file.relative_to(located.folder).as_posix(), file.stat().st_size)
        if located.kind == "parquet":
            digest.update(_parquet_footer(file))
    return f"files-{digest.hexdigest()[:16]}"


def require_folders(located: Located, rows: Rows, *, image: str) -> None:
    """Raise MachineError where a folder that holds photos of an image folder is gone or empty.

    Without its photos the image folder would be another dataset, and all that can still be
    read of it would be asked about again.
    """
    if located.kind != "imagefolder":
        return
    named: Counter[str] = Counter()
    with_a_photo: set[str] = set()
    for name in _photo_files(rows, image):
        if name is None or "://" in name:
            continue
        parent = os.path.dirname(name)
        named[parent] += 1
        if parent not in with_a_photo and _size(located.folder / name) >= 0:
            with_a_photo.add(parent)
    for parent in sorted(named.keys() - with_a_photo):
        folder = located.folder / parent
        gone = f"has none of its {named[parent]:,} photos" if named[parent] > 1 else None
        try:
            gone = "is empty" if next(os.scandir(folder), None) is None else gone
        except ValueError:  # a NUL in the name
            continue
        except OSError as error:
            if cause_of(error) is NO_SUCH_NAME:
                continue
            gone = "is not there" if cause_of(error) is ABSENT else f"cannot be listed ({error})"
        if gone:
            raise MachineError(
                f"{located.path}: its folder {folder} {gone}; {ABSENT.remedy}, then run the same "
                "command again. If its photos are gone for good, --skip-missing leaves them out, "
                "and --reuse keeps the answers to the others",
                condition=ABSENT.condition,
            )


def _photo_files(rows: Rows, image: str) -> Iterator[str | None]:
    """The file of each row's photo; None where there is none."""
    address = Address.find(image, rows.columns)
    assert address is not None  # as `map_columns` gives it
    for photos in map(address.array, rows.iter_column(address)):
        if is_list(photos.type):
            photos = item(photos, 0)
        if pa.types.is_struct(photos.type) and photos.type.get_field_index("path") >= 0:
            photos = pc.struct_field(photos, "path")
        if is_text(photos.type):
            yield from photos.to_pylist()


def _size(file: Path) -> int:
    """The size of a photo's file in bytes, -1 where there is none. Raises OSError."""
    try:
        found = file.stat()
    except ValueError:  # a NUL in the name
        return -1
    except OSError as error:
        if cause_of(error) in (ABSENT, NO_SUCH_NAME):
            return -1
        raise
    return found.st_size if stat.S_ISREG(found.st_mode) else -1


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


def _listing(folder: Path) -> str:
    try:
        names = sorted(name for name in os.listdir(folder) if not name.startswith("."))
    except OSError:
        return f"{folder} cannot be listed"
    more = f" and {len(names) - _LISTED:,} more" if len(names) > _LISTED else ""
    return f"{folder} holds: {', '.join(names[:_LISTED]) or 'nothing'}{more}"


def _first_line(error: BaseException) -> str:
    while error.__cause__ is not None:
        error = error.__cause__
    text = "" if isinstance(error, LookupError) else str(error).strip()
    return text.splitlines()[0] if text else f"{type(error).__name__} {error}".strip()
