"""Makes the images of one imported trace again, and compares each with the one in its file.

What the calls of such a trace mean is not in its file either: which image a call
without `img_idx` was applied to, and how edges of boxes were rounded. A `Reading` says
it for all traces of a recipe; `importing.again` finds it out.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal, get_args

from geostore.conversation.again import Darkroom, finished, photo_as_sent, resized
from geostore.errors import ImageError
from geostore.identity import canonical_text
from geostore.imaging import DecodedPhotos, decode, fit_size, hash_pixels
from geostore.imaging.likeness import FILTERS, is_lossless, jpeg_way, likeness
from geostore.importing.box_frames import Edges, FrameName, box_in_source
from geostore.importing.file_images import images_shown
from geostore.proofs import ImageProof, Making, Resample
from geostore.records import ImageFacts, ImageLimits, SentImage, StoredTrace, ToolCall
from geostore.tools import TOOLS, ZOOM, BadCall, current_image_after, understand
from geostore.tools.arguments import Arguments
from geostore.tools.boxes import Frame, RefusedCall, covers_nearly_all

if TYPE_CHECKING:
    from PIL import Image

Sources = Literal["table", "photo", "last"]
"""The image that a call without `img_idx` means: the photo as it was last turned, the photo, or the
image that the call before gave."""
SOURCES: tuple[Sources, ...] = get_args(Sources)

CutFrom = Literal["full", "sent"]
"""What the photo is to the calls: at full resolution, or as it was sent."""
CUTS: tuple[CutFrom, ...] = get_args(CutFrom)


_NAME_LENGTH = 60  # characters of a path or an address in a reason
_HASH = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Reading:
    """How the calls of a recipe's traces are read."""

    frame: FrameName
    """The frame of their boxes."""
    edges: Edges = "nearest"
    """How edges were rounded to pixels."""
    sources: Sources = "table"
    """What a call without `img_idx` means."""
    cut_from: CutFrom = "full"
    """What the photo is to the calls."""
    resample: Resample = "lanczos"
    """The filter that is tried first; the result does not depend on it, only the time."""


@dataclass(frozen=True, slots=True)
class RemadeTrace:
    """What is known of a trace's images after they were made again."""

    photo: ImageFacts | None
    """The photo as it was sent; None where it is not the one in the file."""
    calls: tuple[ToolCall, ...]
    """Its calls, with boxes, sources and images as far as they are known."""
    proofs: tuple[ImageProof, ...]
    """One for each image that the teacher saw, by number."""


@dataclass(frozen=True, slots=True)
class _Match:
    """An image that was made again, compared with the one in the file."""

    proof: ImageProof
    image: SentImage | None


def remake(
    trace: StoredTrace,
    photo: bytes,
    in_file: Mapping[str, bytes],
    reading: Reading,
    decoded: DecodedPhotos | None = None,
) -> RemadeTrace:
    """Make a trace's images again and compare them. photo: the stored bytes of its photo.

    in_file: the images in its file by their sha256. Raises ImageError where the photo
    does not decode.
    """
    return _Remaking(trace, photo, in_file, reading, decoded or DecodedPhotos()).run()


def zoom_numbers(call: ToolCall) -> tuple[float, float, float, float] | None:
    """The four numbers of a zoom's box as the teacher wrote them; None where there are none."""
    if call.name != ZOOM:
        return None
    anywhere = Frame("norm1000", ImageFacts("", 1000, 1000, 1000, 1000), 0)
    try:
        return Arguments.read(call.raw_arguments).box(anywhere)
    except (RefusedCall, KeyError):
        return None


class _Remaking:
    """The work on one trace."""

    def __init__(
        self,
        trace: StoredTrace,
        photo: bytes,
        in_file: Mapping[str, bytes],
        reading: Reading,
        decoded: DecodedPhotos,
    ) -> None:
        self._trace = trace
        self._photo = photo
        self._pixels = decoded.get(photo)
        self._in_file = in_file
        self._reading = reading
        self._shown = images_shown(trace)
        self._times = Counter(name for names in self._shown.values() for name in names)
        self._any_shown = any(names for turn, names in self._shown.items() if turn)
        self._images: list[ImageFacts] = []
        self._calls: list[ToolCall] = []
        self._proofs: list[ImageProof] = []

    def run(self) -> RemadeTrace:
        photo = self._match_photo()
        self._proofs.append(photo.proof)
        making = photo.proof.making or Making()
        facts = photo.image.facts if photo.image else None
        size = (facts.width, facts.height) if facts else self._pixels.size
        self._images.append(facts or ImageFacts("", *size, *self._pixels.size))
        darkroom = Darkroom(self._pixels, size, replace(making, cut_from=self._reading.cut_from))
        for turn in self._trace.turns:
            self._turn(turn.turn, darkroom)
        return RemadeTrace(facts, *self._seen())

    def _seen(self) -> tuple[tuple[ToolCall, ...], tuple[ImageProof, ...]]:
        """The calls and proofs, without images that calls of the last turn gave.

        No request followed that turn, so the teacher saw none of them.
        """
        last = len(self._trace.turns)
        unseen = {proof.image_index for proof in self._proofs if proof.turn == last} - {0}
        calls = tuple(
            call
            if call.turn != last
            else unknown_call(call)  # its box is one of an image that the trace has not
            if call.source_index in unseen
            else replace(call, image=None, image_index=None)
            for call in self._calls
        )
        return calls, tuple(p for p in self._proofs if p.image_index not in unseen)

    def _turn(self, turn: int, darkroom: Darkroom) -> None:
        calls = [call for call in self._trace.calls if call.turn == turn]
        gave = [call for call in calls if call.success]
        names = self._shown.get(turn, [])
        is_last = turn == len(self._trace.turns)
        uneven = None
        if names and len(names) != len(gave):
            uneven = f"turn {turn + 1} of its file shows {_count(len(names), 'image')} after " + (
                f"{_count(len(gave), 'call')} that succeeded"
            )
        waiting = iter(names)
        for call in calls:
            if not call.success or (not names and self._any_shown and not is_last):
                self._calls.append(call)  # the teacher saw no image of it
                continue
            self._one(call, darkroom, next(waiting, None), uneven, is_last=is_last)

    def _one(
        self,
        call: ToolCall,
        darkroom: Darkroom,
        name: str | None,
        uneven: str | None,
        *,
        is_last: bool,
    ) -> None:
        number = len(self._images)
        understood = self._understand(call)
        if isinstance(understood, str):
            self._calls.append(unknown_call(call))
            if not is_last:  # nobody saw what a call of the last turn gave
                self._no_image(number, call.turn, name, understood)
            return
        try:
            cut = darkroom.cut(understood)
        except ImageError as error:
            self._calls.append(unknown_call(call))
            if not is_last:
                self._no_image(number, call.turn, name, str(error))
            return
        darkroom.keep(number, cut)
        size = _usual_size(cut, call.name)
        match = self._match(number, call.turn, cut, name, size)
        if uneven is not None:
            proof = ImageProof(number, "not", call.turn, name, why=uneven)
            match = _Match(proof, None)
        self._proofs.append(match.proof)
        if match.image is None:
            self._images.append(ImageFacts("", *cut.size, *cut.size))
            self._calls.append(unknown_call(call))
            return
        self._images.append(match.image.facts)
        self._calls.append(replace(understood, image=match.image.facts, image_index=number))

    def _no_image(self, number: int, turn: int, name: str | None, why: str) -> None:
        self._proofs.append(ImageProof(number, "not", turn, name, why=why))
        # The number is taken all the same, since later calls count this image too.
        self._images.append(ImageFacts("", 1000, 1000, 1000, 1000))

    # --- what a call means ----------------------------------------------------------------

    def _understand(self, call: ToolCall) -> ToolCall | str:
        """The call with its source, box and angle; or why it cannot be made again."""
        if call.name not in TOOLS:
            return f"there is no tool {call.name!r} to make it with"
        try:
            given = Arguments.read(call.raw_arguments).image_index(len(self._images))
        except RefusedCall as refused:
            return _as_reason(refused.sentence)
        source = self._usual_source() if given is None else given
        # Of the photo the images themselves tell: calls cut from another one give other pixels.
        if source and self._is_disproven(source):
            return f"it is made of image {source}, which is not proven"
        numbers = zoom_numbers(call)
        if numbers is None:
            return self._other_tool(call, source)
        image = self._images[source]
        grid = (image.full_width, image.full_height)
        if source == 0 and self._reading.cut_from == "sent":
            grid = (image.width, image.height)
        in_source = box_in_source(numbers, self._reading.frame, image, self._reading.edges, grid)
        if in_source is None:
            return (
                f"the box {[round(number, 3) for number in numbers]} is no part of image {source}"
            )
        box, clamped = in_source
        flags = {"clamped": clamped, "noop": covers_nearly_all(box, image)}
        arguments: dict[str, Any] = {"bbox_2d": list(numbers)}
        if given is not None:
            arguments["img_idx"] = given
        return replace(
            call,
            arguments=canonical_text(arguments),
            source_index=source,
            box=box,
            flags=tuple(name for name, holds in flags.items() if holds),
        )

    def _other_tool(self, call: ToolCall, source: int) -> ToolCall | str:
        meaning = understand(
            call.name,
            call.raw_arguments,
            enabled=(call.name,),
            images=self._images,
            current_image=source,
            frame="norm1000",
            earlier=(),
        )
        if isinstance(meaning, BadCall):
            return _as_reason(meaning.sentence)
        return replace(
            call,
            arguments=meaning.arguments,
            source_index=meaning.source_index,
            angle=meaning.angle,
            flags=meaning.flags,
        )

    def _usual_source(self) -> int:
        if self._reading.sources == "photo":
            return 0
        if self._reading.sources == "last":
            return len(self._images) - 1
        return current_image_after(self._calls)

    def _is_disproven(self, number: int) -> bool:
        return any(proof.image_index == number and proof.proof == "not" for proof in self._proofs)

    # --- comparing ------------------------------------------------------------------------

    def _match_photo(self) -> _Match:
        names = self._shown.get(0, [])
        if len(names) > 1:
            why = f"the first request in its file shows {len(names)} images, so which is the photo"
            return _Match(ImageProof(0, "not", 0, names[0], why=f"{why} is not known"), None)
        usual = fit_size(*self._pixels.size, ImageLimits())
        return self._match(0, 0, self._pixels, names[0] if names else None, usual)

    def _match(
        self, number: int, turn: int, image: Image.Image, name: str | None, usual: tuple[int, int]
    ) -> _Match:
        """An image at full size as the file has it. usual: its size where the file has it not."""
        data = None if name is None else self._in_file.get(name)
        cut_from = self._reading.cut_from
        if data is None:
            if name is not None and self._times[name] > 1 and not _HASH.fullmatch(name):
                # An export could not tell which of them a message means.
                why = f"its file names {self._times[name]} images {_shortened(name)}"
                return _Match(ImageProof(number, "not", turn, name, why=why), None)
            return self._unseen(number, turn, image, name, usual)
        try:
            seen = decode(data)
        except ImageError as error:
            why = f"the image in its file cannot be read: {error}"
            return _Match(ImageProof(number, "not", turn, name, why=why), None)
        wanted = hash_pixels(seen)
        if number == 0 and (stored := self._as_stored(wanted)) is not None:
            making = Making(cut_from=cut_from, as_stored=True)
            return _Match(ImageProof(0, "exact", 0, name, 0.0, making=making), stored)
        written = (None, "4:4:4") if is_lossless(data) else jpeg_way(data)
        usual_making = Making()
        quality, subsampling = written or (usual_making.quality, usual_making.subsampling)
        filters = [self._reading.resample, *(f for f in FILTERS if f != self._reading.resample)]
        if image.size == seen.size:
            del filters[1:]  # it is not resized, so every filter gives the same
        makings = [Making(cut_from, resample, quality, subsampling) for resample in filters]
        first = likeness(resized(image, seen.size, makings[0]), seen)
        if not first.is_near:  # no filter makes so much of a difference
            difference = round(first.difference, 3)
            why = f"it is not the image in its file (a colour differs by {difference:.0f} of 255)"
            return _Match(ImageProof(number, "not", turn, name, difference, why), None)
        best: tuple[float, Making, SentImage] | None = None
        for making in makings:
            made = finished(image, seen.size, making, with_pixels=True)
            pixels = decode(made.data)
            if made.sha256 == name or hash_pixels(pixels) == wanted:
                return _Match(ImageProof(number, "exact", turn, name, 0.0, making=making), made)
            difference = likeness(pixels, seen).difference
            if best is None or difference < best[0]:
                best = (difference, making, made)
        assert best is not None
        difference, making, made = best
        proof = ImageProof(number, "near", turn, name, round(difference, 3), making=making)
        return _Match(proof, made)

    def _unseen(
        self, number: int, turn: int, image: Image.Image, name: str | None, usual: tuple[int, int]
    ) -> _Match:
        making = Making(cut_from=self._reading.cut_from)
        made = finished(image, usual, making, with_pixels=True)
        # A file may name an image by its hash alone.
        proof: Literal["exact", "unseen"] = "exact" if made.sha256 == name else "unseen"
        return _Match(ImageProof(number, proof, turn, name, making=making), made)

    def _as_stored(self, wanted: str) -> SentImage | None:
        """The photo's own file, where the trace file has its very pixels."""
        if hash_pixels(self._pixels) != wanted:
            return None
        making = Making(as_stored=True)
        stored = photo_as_sent(self._photo, self._pixels, self._pixels.size, making, True)
        return stored if hash_pixels(decode(stored.data)) == wanted else None


def unknown_call(call: ToolCall) -> ToolCall:
    """A call whose image is not proven: what it was read to mean is no fact then."""
    return replace(
        call,
        arguments=None,
        source_index=None,
        box=None,
        angle=None,
        flags=(),
        image=None,
        image_index=None,
    )


def _usual_size(image: Image.Image, name: str) -> tuple[int, int]:
    limits = ImageLimits()
    return fit_size(*image.size, limits, enlarge_short_side=TOOLS[name].short_side(limits))


def _shortened(name: str) -> str:
    return repr(name if len(name) <= _NAME_LENGTH else f"{name[:_NAME_LENGTH]}...")


def _as_reason(sentence: str) -> str:
    return sentence[:1].lower() + sentence[1:].rstrip(".")


def _count(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
