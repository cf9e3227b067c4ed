"""Reads what an export says of images that were made again.

Somebody may have edited the file. Later every image is made as the file says, so each
number is checked here: otherwise a view or an export fails much later, and nobody knows why.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar, get_args

from geostore.imaging import MAX_PIXELS
from geostore.imaging.likeness import SUBSAMPLINGS
from geostore.importing.documents import BadFile
from geostore.importing.remaking import CUTS
from geostore.proofs import ImageProof, Making, ProofKind, Resample
from geostore.records import Box, ImageFacts, ToolCall

T = TypeVar("T")

_MOST_SIDE = 65_535  # pixels; no JPEG has more
_PROOFS: tuple[ProofKind, ...] = get_args(ProofKind)
_RESAMPLES: tuple[Resample, ...] = get_args(Resample)


def read_proofs(
    values: Any, photo: ImageFacts | None, calls: Sequence[ToolCall]
) -> tuple[ImageProof, ...]:
    """The proofs of a trace's images, in order. values: as the file has them.

    photo: as it was sent. Raises BadFile where they are not what an import proves, or do
    not fit photo and calls; TypeError, ValueError, LookupError for anything else.
    """
    if not values:
        return ()
    proofs = tuple(_proof(number, value) for number, value in enumerate(values))
    images: dict[int, ImageFacts] = {} if photo is None else {0: photo}
    turns = {0: 0}
    for call in calls:
        if call.image is None and call.image_index is None:
            continue
        if call.image is None or call.image_index is None or call.image_index in images:
            raise _wrong(f"the image of a call of turn {call.turn}")
        _check_source(call, images, proofs)
        images[call.image_index] = call.image
        turns[call.image_index] = call.turn
    if images.keys() != {proof.image_index for proof in proofs if proof.proof != "not"}:
        raise _wrong("the numbers of image_proofs")
    for proof in proofs:
        if proof.turn != turns.get(proof.image_index, proof.turn):
            raise _wrong(f"turn {proof.turn} of image {proof.image_index}")
    for number, image in images.items():
        if not _is_size(image.width, image.height):
            raise _wrong(f"the size {image.width} x {image.height} of image {number}")
    return proofs


def _check_source(
    call: ToolCall, images: Mapping[int, ImageFacts], proofs: Sequence[ImageProof]
) -> None:
    """Raise BadFile where a call cannot have made its image of one that came before it."""
    source = call.source_index
    if source is None or not 0 <= source < min(len(proofs), call.image_index or 0):
        raise _wrong(f"the source {source} of image {call.image_index}")
    of_source = images.get(source)
    if call.box is not None and of_source is not None and not _is_inside(call.box, of_source):
        raise _wrong(f"the box {list(call.box)} of image {call.image_index}")
    if call.angle is not None and not math.isfinite(call.angle):
        raise _wrong(f"the angle {call.angle} of image {call.image_index}")


def _is_inside(box: Box, source: ImageFacts) -> bool:
    left, top, right, bottom = box
    return 0 <= left < right <= source.full_width and 0 <= top < bottom <= source.full_height


def _is_size(width: int, height: int) -> bool:
    sides_fit = 0 < width <= _MOST_SIDE and 0 < height <= _MOST_SIDE
    return sides_fit and width * height <= MAX_PIXELS


def _proof(number: int, value: Any) -> ImageProof:
    proof = ImageProof(**{**value, "making": None})
    if not _is_whole(proof.image_index) or proof.image_index != number:
        raise _wrong(f"image_index {proof.image_index!r} in place {number} of image_proofs")
    is_not = _one_of(proof.proof, _PROOFS) == "not"
    if not _is_whole(proof.turn) or not (proof.turn == 0) == (number == 0) or proof.turn < 0:
        raise _wrong(f"turn {proof.turn!r} of image {number}")
    if not isinstance(proof.file_sha256, str | None):
        raise _wrong(f"file_sha256 of image {number}")
    if proof.difference is not None and not 0 <= float(proof.difference) <= 255:
        raise _wrong(f"difference {proof.difference!r} of image {number}")
    if not isinstance(proof.why, str if is_not else type(None)):
        raise _wrong(f"why {proof.why!r} of image {number}")
    making = value["making"]
    if is_not != (making is None):
        raise _wrong(f"making of image {number}")
    return ImageProof(**{**value, "making": None if making is None else _making(making)})


def _making(value: Any) -> Making:
    making = Making(**value)
    _one_of(making.cut_from, CUTS)
    _one_of(making.resample, _RESAMPLES)
    _one_of(making.subsampling, tuple(SUBSAMPLINGS.values()))
    _one_of(making.as_stored, (True, False))
    quality = making.quality
    if quality is not None and not (_is_whole(quality) and 1 <= quality <= 100):
        raise _wrong(f"quality {quality!r} of an image")
    return making


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _one_of(value: T, allowed: Sequence[T]) -> T:
    if value not in allowed:
        raise _wrong(f"{value!r}, which is none of {', '.join(map(str, allowed))}")
    return value


def _wrong(what: str) -> BadFile:
    return BadFile("malformed", what)
