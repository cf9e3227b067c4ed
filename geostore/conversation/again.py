"""Makes the images of an imported trace again, from the photo and the rows of its calls.

The script that wrote a trace's file cut and resized in its own way. `Making` says how,
as far as the import could find out, and each row gives the size at which an image was
sent. So the same rows give the same bytes, with one build of Pillow and its codecs.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from PIL import Image

from geostore.errors import ImageError
from geostore.identity import sha256_hex
from geostore.imaging import DecodedPhotos, hash_pixels, prepare_photo
from geostore.imaging.likeness import FILTERS, write_image
from geostore.proofs import ImageProof, Making
from geostore.records import Box, ImageFacts, ImageLimits, SentImage, StoredTrace, ToolCall
from geostore.tools import apply

_ANY_SIZE = ImageLimits(max_pixels=2**40)


class Darkroom:
    """The images of one trace at full size, each made when a call asks for it.

    photo: its pixels as `imaging.decode` gives them. sent: the size of the photo as it
    was sent. making: of the photo; it says what the calls are applied to.
    """

    def __init__(self, photo: Image.Image, sent: tuple[int, int], making: Making) -> None:
        self._photo_size = photo.size
        if making.cut_from == "sent":
            photo = resized(photo, sent, making)
        self._full: dict[int, Image.Image] = {0: photo}

    def cut(self, call: ToolCall) -> Image.Image:
        """The result of a call at full size. Raises ImageError where there is no such source."""
        source = self._full.get(-1 if call.source_index is None else call.source_index)
        if source is None:
            raise ImageError(f"no call before it gave image {call.source_index}", kind="missing")
        if call.box is not None and call.source_index == 0:
            call = replace(call, box=_scaled(call.box, self._photo_size, source.size))
        return apply(call, source)

    def keep(self, number: int, image: Image.Image) -> None:
        """Keep the result of a call under its number, for calls that mean it."""
        self._full[number] = image


@dataclass(frozen=True, slots=True)
class Remade:
    """An image that was made again."""

    number: int
    """Its number in the conversation; 0 is the photo."""
    turn: int
    """The turn that gave it; for the photo 1."""
    known: ImageFacts
    """What the rows say of it."""
    image: SentImage
    """What was made."""

    @property
    def what(self) -> str:
        """The image, in a few words."""
        return f"image {self.number}" if self.number else "the photo as sent"


def remade_images(
    photo: bytes,
    trace: StoredTrace,
    *,
    decoded: DecodedPhotos | None = None,
    with_pixels: bool = False,
) -> Iterator[Remade]:
    """Every image of an imported trace that can be made again, in order of their numbers.

    photo: the stored bytes. with_pixels: with the hash of their pixels. Nothing is
    compared. Raises ImageError where a row and the photo do not fit together.
    """
    makings = {proof.image_index: proof.making for proof in trace.image_proofs}
    making = makings.get(0)
    if making is None or trace.photo is None:
        return
    pixels = (decoded or DecodedPhotos()).get(photo)
    size = (trace.photo.width, trace.photo.height)
    yield Remade(0, 1, trace.photo, photo_as_sent(photo, pixels, size, making, with_pixels))
    darkroom = Darkroom(pixels, size, making)
    for call in trace.calls:
        of_call = makings.get(-1 if call.image_index is None else call.image_index)
        if call.image is None or call.image_index is None or of_call is None:
            continue
        cut = darkroom.cut(call)
        darkroom.keep(call.image_index, cut)
        sent = finished(cut, (call.image.width, call.image.height), of_call, with_pixels)
        yield Remade(call.image_index, call.turn, call.image, sent)


def images_again(photo: bytes, trace: StoredTrace) -> list[SentImage]:
    """All images that the teacher of an imported trace saw, in order of their numbers.

    Raises ImageError: ``unknown`` where an image could not be made when the trace was
    imported, ``changed`` where one comes out in other bytes than then.
    """
    if (why := why_not(trace)) is not None:
        raise ImageError(why, kind="unknown")
    return [checked(remade) for remade in remade_images(photo, trace)]


def checked(remade: Remade) -> SentImage:
    """An image that was made again, if it has the bytes that its row names.

    Raises ImageError (kind ``changed``) otherwise.
    """
    if remade.image.sha256 != remade.known.sha256:
        raise ImageError(
            f"{remade.what} comes out in other bytes than when the trace was imported; "
            "another version of Pillow or its JPEG library made it",
            kind="changed",
        )
    return replace(remade.image, pixels_xxh128=remade.known.pixels_xxh128)


def why_not(trace: StoredTrace) -> str | None:
    """Why the images of an imported trace cannot all be made again; None where they can."""
    if not trace.image_proofs:
        return "its images cannot be derived: it was imported, and " + (
            "without the dataset, so its photo is not known; import its file into a new store "
            "with --dataset-path"
            if trace.sample.photo is None
            else "they were not made again yet; run geostore import on its folder once more"
        )
    for proof in trace.image_proofs:
        if proof.proof == "not":
            return _why_not_this(proof)
    return None


def check_photo(trace: StoredTrace) -> None:
    """Raise ImageError (kind ``unknown``) where the dataset's photo is proven to be another one."""
    for proof in trace.image_proofs:
        if proof.image_index == 0 and proof.proof == "not":
            raise ImageError(f"{trace.name}: {_why_not_this(proof)}", kind="unknown")


def _why_not_this(proof: ImageProof) -> str:
    what = f"image {proof.image_index}" if proof.image_index else "the photo"
    where = f" (turn {proof.turn})" if proof.turn else ""
    return f"{what}{where}: {proof.why}"


def photo_as_sent(
    photo: bytes, pixels: Image.Image, size: tuple[int, int], making: Making, with_pixels: bool
) -> SentImage:
    """The photo at a size. photo: its stored bytes; pixels: what they decode to."""
    if making.as_stored:
        return prepare_photo(photo, _ANY_SIZE, with_pixels=with_pixels)
    return finished(pixels, size, making, with_pixels)


def finished(
    image: Image.Image, size: tuple[int, int], making: Making, with_pixels: bool = False
) -> SentImage:
    """An image as it is sent: at a size, as a JPEG or PNG without metadata."""
    at_size = resized(image, size, making)
    data = write_image(at_size, quality=making.quality, subsampling=making.subsampling)
    return SentImage(
        data=data,
        mime="image/png" if making.quality is None else "image/jpeg",
        sha256=sha256_hex(data),
        width=size[0],
        height=size[1],
        full_width=image.width,
        full_height=image.height,
        pixels_xxh128=hash_pixels(at_size) if with_pixels else None,
    )


def resized(image: Image.Image, size: tuple[int, int], making: Making) -> Image.Image:
    """The image at a size; the same object where it has this size already."""
    return image if image.size == size else image.resize(size, FILTERS[making.resample])


def _scaled(box: Box, size: tuple[int, int], to: tuple[int, int]) -> Box:
    """A box of an image of one size as one of the same image at another size, never empty."""
    if size == to:
        return box
    left, right = (round(edge * to[0] / size[0]) for edge in (box[0], box[2]))
    top, bottom = (round(edge * to[1] / size[1]) for edge in (box[1], box[3]))
    left, top = min(left, to[0] - 1), min(top, to[1] - 1)
    return left, top, max(right, left + 1), max(bottom, top + 1)
