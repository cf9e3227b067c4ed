"""Writes images of a trace as files: those the teacher saw, and the photo with its boxes."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from geostore.conversation.again import check_photo, checked, remade_images, why_not
from geostore.conversation.sent import shown_calls
from geostore.errors import ExportError, ImageError, NotFoundError
from geostore.export.images import SUFFIXES
from geostore.records import ImportedRecipe, StoredTrace

if TYPE_CHECKING:
    from PIL import Image

    from geostore.conversation.images import PhotoSource

_FORMATS = {".jpg": "JPEG", ".jpeg": "JPEG", ".png": "PNG"}
_QUALITY = 92  # of the photo with boxes, which is for people


def write_seen(
    trace: StoredTrace,
    out: Path | None,
    source: PhotoSource,
    *,
    turn: int | None = None,
    every: bool = False,
) -> list[Path]:
    """Write images as the teacher saw them, byte for byte; their paths.

    turn: those that this turn's calls gave; None: the photo as it was sent, or with
    `every` all images that its requests held. out: a file for one image; a folder, which is
    made where its name has no suffix; None: the current folder. In a folder files
    are named by the trace and the image's number. Raises NotFoundError where there
    is no such image, DatasetError, ImageError (another photo, other bytes than were
    sent), ExportError.
    """
    from geostore.conversation.images import trace_images

    numbers = _numbers(trace, turn, every=every)
    photo = source.photo_bytes(trace)
    if isinstance(trace.recipe, ImportedRecipe) and not every:
        # Another image that could not be made again is no reason to keep these back.
        images = {remade.number: checked(remade) for remade in remade_images(photo, trace)}
    else:
        images = dict(enumerate(trace_images(photo, trace)))
    if not images.keys() >= set(numbers):
        raise ImageError(f"{trace.name}: {why_not(trace)}", kind="unknown")
    files = [
        (f"{_stem(trace)}_image_{number}{SUFFIXES[images[number].mime]}", images[number].data)
        for number in numbers
    ]
    return _write_files(_placed(out, files))


def write_overlay(
    trace: StoredTrace, out: Path | None, source: PhotoSource, *, turn: int | None = None
) -> Path:
    """Write the photo at full resolution with the boxes of its calls; the path.

    turn: only those of this turn. out: as for `write_seen`; a file's suffix says
    whether it is a JPEG or a PNG. Raises as `write_seen` and `overlay` do.
    """
    name = f"{_stem(trace)}{'' if turn is None else f'_turn_{turn}'}_overlay.jpg"
    path = _placed(out, [(name, b"")])[0][0]
    format = _FORMATS.get(path.suffix.lower())
    if format is None:
        raise ExportError(
            f"{path}: the photo with boxes is a JPEG or a PNG; end it in .jpg or .png"
        )
    data = io.BytesIO()
    try:
        overlay(trace, source, turn=turn).save(data, format, quality=_QUALITY)
    except OSError as error:
        raise ExportError(f"{trace.name}: the photo cannot be encoded: {error}") from error
    return _write_files([(path, data.getvalue())])[0]


def overlay(trace: StoredTrace, source: PhotoSource, *, turn: int | None = None) -> Image.Image:
    """The photo, upright and at full resolution, with the boxes of a trace's calls drawn on it.

    turn: only those of this turn. Raises NotFoundError where there is no box,
    DatasetError, ImageError where it is not the photo that was used.
    """
    from geostore.imaging import decode
    from geostore.show.overlay import draw_boxes

    check_photo(trace)
    turns = sorted({c.turn for c in trace.calls if c.success and c.box is not None})
    if not turns or turn not in (None, *turns):
        which = "no call" if turn is None else f"no call of turn {turn}"
        raise NotFoundError(f"{trace.name}: {which} cut a box; {_those_that_did(turns)}")
    return draw_boxes(decode(source.photo_bytes(trace)), trace.calls, turn=turn)


def _write_files(files: Sequence[tuple[Path, bytes]]) -> list[Path]:
    """Write files, in folders that are made where there are none; their paths.

    Existing files are written over. Raises ExportError.
    """
    for path, data in files:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
        except OSError as error:
            raise ExportError(f"images cannot be written into {path.parent}: {error}") from error
    return [path for path, _ in files]


def _numbers(trace: StoredTrace, turn: int | None, *, every: bool) -> list[int]:
    if trace.photo is None:
        why = why_not(trace) if isinstance(trace.recipe, ImportedRecipe) else None
        why = why or "nothing was sent yet, so its teacher saw no image"
        raise NotFoundError(f"{trace.name}: {why}")
    given = [(c.turn, c.image_index) for c in trace.calls if c.image_index is not None]
    if turn is None:
        shown = [c.image_index for c in shown_calls(trace) if c.image_index is not None]
        return [0, *shown] if every else [0]
    numbers = [number for call_turn, number in given if call_turn == turn]
    if not numbers:
        turns = sorted({call_turn for call_turn, _ in given})
        raise NotFoundError(
            f"{trace.name}: no call of turn {turn} gave an image; {_those_that_did(turns)}"
        )
    return numbers


def _those_that_did(turns: Sequence[int]) -> str:
    if not turns:
        return "none of the trace did"
    return f"those of {'turn' if len(turns) == 1 else 'turns'} {', '.join(map(str, turns))} did"


def _stem(trace: StoredTrace) -> str:
    return trace.name.replace(":", "_")  # not every file system allows a colon in a name


def _placed(out: Path | None, files: Sequence[tuple[str, bytes]]) -> list[tuple[Path, bytes]]:
    """The path of each file: `out` itself, or inside it where it is a folder."""
    if out is None or out.is_dir() or not out.suffix:
        return [((out or Path()) / name, data) for name, data in files]
    if len(files) > 1:
        raise ExportError(f"there are {len(files)} images; name a folder instead of {out}")
    name, data = files[0]
    suffix = Path(name).suffix
    if data and out.suffix.lower() not in (suffix, suffix.replace(".jpg", ".jpeg")):
        raise ExportError(f"{out}: this image was sent in another format; end the name in {suffix}")
    return [(out, data)]
