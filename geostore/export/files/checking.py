"""Reads an export again, without its store, and says what is wrong with it.

Every file is compared with its hash, every row is read as its trainer reads it: as many
places for images as images, and each image there. Where the trainer is installed, its own loader
is asked too (`FormatWriter.loads`).
"""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from geostore.errors import ExportError
from geostore.export.files.folder import listed_files, printable, read_manifest, strangers
from geostore.export.files.index_check import IndexCheck, stated_lines, wrong_name
from geostore.export.files.leftovers import MANIFEST, SUMS
from geostore.export.files.row_images import RowImages, images_of, learnt_texts
from geostore.export.files.row_reader import Row, read_rows
from geostore.export.files.unchanged import damaged_files
from geostore.export.formats import FORMATS, writer_of
from geostore.export.options import ExportOptions
from geostore.export.writer import FormatWriter
from geostore.imaging.verifying import opens
from geostore.one_line import OneLine

_PACKAGES = {
    "LLaMA-Factory": "llamafactory",
    "ms-swift": "swift",
    "TRL": "trl",
    "verl": "verl",
    "datasets": "datasets",
}
"""From a trainer to the package that it is imported as."""
_SIGNATURES = (b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"RIFF")
_MOST_PROBLEMS = 50
_LONGEST_TEXT = 200
_OF_WRONG_VALUES = (ArithmeticError, AttributeError, LookupError, OSError, TypeError, ValueError)
"""What reading a row raises whose values are of other kinds than its columns have."""


@dataclass(frozen=True, slots=True, repr=False)
class CheckResult(OneLine):
    """What an export is, and what is wrong with it."""

    path: Path
    """Its folder, links followed."""
    format: str
    """Its format."""
    files: int
    """Files in it."""
    rows: int
    """Rows that could be read; of the format ``trace``, files."""
    images: int
    """Images of all rows; one that two rows show counts twice."""
    problems: tuple[str, ...]
    """What is wrong, in words, at most fifty; empty: nothing."""
    learnt: tuple[str, ...]
    """What a student learns in the first row, message by message; empty where there are prompts
    alone."""
    loader: str
    """What the trainer's own loader said, or why it was not asked."""
    notes: tuple[str, ...] = ()
    """What the export said of its files, as `ExportResult.notes`."""

    def holds(self) -> bool:
        """Whether nothing is wrong."""
        return not self.problems


def check_export(folder: str | os.PathLike[str]) -> CheckResult:
    """Read an export again, and say what is wrong with it. Needs no store, and writes nothing.

    Raises ExportError where there is no export.
    """
    path = Path(os.path.realpath(folder))
    manifest = read_manifest(path)
    if manifest is None:
        raise ExportError(f"{folder} is no export of geostore's: it has no {MANIFEST} of one")
    try:
        return _checked(path, manifest)
    except OSError as error:
        raise ExportError(f"{folder} cannot be read: {error.strerror or error}") from error


def _checked(path: Path, manifest: Mapping[str, Any]) -> CheckResult:
    problems = [
        f"{name} is missing, or is not what was written" for name in _damage(path, manifest)
    ]
    problems += [f"{name} was not written by the export" for name in strangers(path)]
    for sha256, file in listed_files(path) if not problems else ():
        if (other := wrong_name(file, sha256)) is not None:
            problems.append(other)
    index = IndexCheck(path, stated_lines(manifest))
    rows = images = 0
    names: set[str] = set()
    wrong_lines: list[str] = []
    learnt: tuple[str, ...] = ()
    for row in read_rows(path):
        if row.problem is not None:
            problems.append(f"{row.place} {row.problem}")
            continue
        rows += 1
        try:
            if (name := _trace_name(row.values)) is not None:
                names.add(name)
            found = images_of(row.values)
            images += len(found.images)
            wrong_images = list(_wrong_images(path, row, found))
            problems += wrong_images
            wrong_lines += index.of_row(row, compare=not wrong_images)
            learnt = learnt or tuple(text[:_LONGEST_TEXT] for text in learnt_texts(row.values))
        except _OF_WRONG_VALUES as error:
            why = error.strerror if isinstance(error, OSError) else str(error)
            problems.append(f"{row.place}: it cannot be checked: {why or type(error).__name__}")
        if len(problems) > _MOST_PROBLEMS:
            break
    else:
        wrong_counts = _wrong_counts(manifest, rows, None if problems else images, names)
        problems += [*wrong_lines[:_MOST_PROBLEMS], *index.at_end(), *wrong_counts]
    loader = _ask_loader(path, manifest) if not problems else "not asked, because of what is wrong"
    with (path / SUMS).open("rb") as sums:
        files = sum(1 for _ in sums)
    return CheckResult(
        path,
        str(manifest.get("format")),
        files,
        rows,
        images,
        tuple(map(printable, problems[:_MOST_PROBLEMS])),
        learnt,
        loader,
        tuple(manifest.get("notes", ())),
    )


def _damage(path: Path, manifest: Mapping[str, Any]) -> list[str]:
    damaged = damaged_files(path, manifest)
    if damaged == [SUMS] and not (path / SUMS).is_file():
        raise ExportError(f"{path} has no {SUMS}, so nothing of it can be proven; export it again")
    return damaged


def _wrong_images(path: Path, row: Row, found: RowImages) -> Iterator[str]:
    where = row.place if (name := _trace_name(row.values)) is None else f"{row.place} ({name})"
    for column, places, count in found.places:
        if places != count:
            yield f"{where}: {places} places for {count} images in {column}"
    for image in found.images:
        if isinstance(image, str):
            # Paths of a row start at its own file.
            file = (path / row.file).parent / image
            if not file.resolve().is_relative_to(path):
                yield f"{where}: the image {image} lies outside of the export"
            elif not file.is_file():
                yield f"{where}: there is no image {image}"
            elif not opens(file):
                yield f"{where}: {image} is no image that can be opened"
        elif not image.startswith(_SIGNATURES) or not opens(image):
            yield f"{where}: an image is no JPEG, PNG or WebP"


def _wrong_counts(
    manifest: Mapping[str, Any], rows: int, images: int | None, names: set[str]
) -> Iterator[str]:
    """images: None where rows are named already that hold too few or too many."""
    count, stated = manifest.get("count"), manifest.get("counts")
    if not isinstance(count, int) or not isinstance(stated, dict):
        yield f"{MANIFEST} has no count, or no counts of rows and images"
        return
    if rows != stated.get("rows"):
        yield f"there are {rows} rows, and the manifest says {stated.get('rows')}"
    # References are named by their hash, and no row holds them.
    if images not in (None, stated.get("images")) and manifest.get("images") != "reference":
        yield f"the rows have {images} images, and the manifest says {stated.get('images')}"
    if not rows:
        yield f"there is no row, and the manifest says {count} traces"
    # Rows of prompts are samples, and those of pairs hold two traces.
    if _writer_of(manifest).rules.has_prompts_alone or manifest["format"] == "pairs" or not names:
        return
    if len(names) != count:
        yield f"rows of {len(names)} traces, and the manifest says {count}"


def _trace_name(row: Mapping[str, Any]) -> str | None:
    metadata = row.get("metadata")
    name = row.get("trace") or (metadata.get("trace") if isinstance(metadata, dict) else None)
    return name if isinstance(name, str) else None


def _writer_of(manifest: Mapping[str, Any]) -> FormatWriter:
    if manifest.get("format") not in FORMATS:
        raise ExportError(f"{MANIFEST} names no format of geostore's: {manifest.get('format')!r}")
    return writer_of(ExportOptions(format=manifest["format"], pairs_for=manifest.get("pairs_for")))


def _ask_loader(path: Path, manifest: Mapping[str, Any]) -> str:
    writer = _writer_of(manifest)
    trainer = writer.rules.trainer
    if trainer is None:
        return "the format is for no trainer"
    if trainer not in _PACKAGES:
        return (
            f"{trainer} was not asked: there are several, and most are services that load nothing "
            "on this machine"
        )
    package = _PACKAGES[trainer]
    if importlib.util.find_spec(package) is None:
        return f"{trainer} is not installed in this Python, so its loader was not asked"
    if writer.loads is None:
        return f"no row was loaded with {trainer}: see README.md for how it loads them"
    return writer.loads(path)
