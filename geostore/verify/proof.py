"""Checks the traces of photos by deriving again everything that was sent to their teacher.

It reads and writes no files. Tasks and outcomes can be pickled, so it runs in
worker processes that know neither the store nor a dataset.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Literal

from geostore.conversation.again import remade_images
from geostore.conversation.images import tool_images
from geostore.conversation.messages import RequestWriter
from geostore.conversation.recipe import recipe_hash
from geostore.conversation.request_form import RequestForm
from geostore.conversation.sent import sent_requests
from geostore.errors import GeostoreError
from geostore.identity import sha256_hex
from geostore.imaging import DecodedPhotos
from geostore.proofs import ProofKind
from geostore.records import (
    ImageFacts,
    ImageLimits,
    ImportedRecipe,
    Recipe,
    SentImage,
    StoredTrace,
)

Kind = Literal["photo", "bytes", "size", "image", "request", "recipe", "trace"]
"""What differs.

``photo``: the stored bytes of a photo. ``bytes``: the bytes of an image. ``size``: its
size in the rows. ``image``: an image that cannot be derived. ``request``: a request.
``recipe``: a recipe's hash. ``trace``: rows that contradict each other.
"""

Pixels = Literal["same", "other", "unknown"]


@dataclass(frozen=True, slots=True)
class PhotoTask:
    """The traces about one photo."""

    photo: bytes | None
    """The bytes in the dataset's row now; None where they cannot be had.

    Without them only requests and recipes are checked.
    """

    traces: tuple[tuple[int, StoredTrace], ...]
    """Each with its id in the store."""


@dataclass(frozen=True, slots=True)
class Fault:
    """A difference between a trace's rows and what was derived from them."""

    kind: Kind
    """What differs."""

    trace_id: int
    """The trace's id in the store."""

    trace: str
    """The trace's public name."""

    turn: int | None
    """The turn that it concerns; None where it concerns none."""

    what: str
    """The thing that differs, in a few words, such as ``image 2``."""

    expected: str
    """What the rows say: a hash, a size, or words."""

    actual: str
    """What was derived instead."""

    pixels: Pixels = "unknown"
    """Whether the pixels are the same, of an image whose bytes differ."""

    attested: bool = False
    """Whether a request with a right hash names the row's hash, so that this image was sent."""


@dataclass(slots=True)
class Outcome:
    """The result of some tasks. The counts are those of `Report`."""

    traces: int = 0
    """Traces that were checked."""

    turns: int = 0
    """Turns whose request was rebuilt."""

    photos: int = 0
    """Photos from which images were derived."""

    images: int = 0
    """Images that were derived, once for each trace that shows them."""

    unverified_traces: int = 0
    """Of `traces`, those whose images could not be derived."""

    imported_traces: int = 0
    """Of `traces`, those that were imported without hashes of their requests."""

    imported_images: Counter[ProofKind] = field(default_factory=Counter)
    """Images of imported traces by what was proven of them when they were imported."""

    faults: list[Fault] = field(default_factory=list)
    """Everything that differs, in the order of the traces."""

    def add(self, other: Outcome) -> None:
        """Take the counts and faults of another."""
        self.traces += other.traces
        self.turns += other.turns
        self.photos += other.photos
        self.images += other.images
        self.unverified_traces += other.unverified_traces
        self.imported_traces += other.imported_traces
        self.imported_images.update(other.imported_images)
        self.faults += other.faults


def check_photos(tasks: tuple[PhotoTask, ...]) -> Outcome:
    """Check all traces of some photos. Never raises, whatever rows or photos hold."""
    outcome = Outcome()
    for task in tasks:
        _PhotoCheck(task, outcome).run()
    return outcome


class _PhotoCheck:
    """The check of one task; decodes its photo once, and prepares it once for each limits."""

    def __init__(self, task: PhotoTask, outcome: Outcome) -> None:
        self._task = task
        self._outcome = outcome
        self._photo = task.photo
        self._photo_sha256 = None if task.photo is None else sha256_hex(task.photo)
        self._decoded = DecodedPhotos()
        self._prepared: dict[ImageLimits, SentImage] = {}
        self._writers: dict[str, RequestWriter] = {}

    def run(self) -> None:
        any_derived = False
        for trace_id, trace in self._task.traces:
            check = _TraceCheck(trace_id, trace, self._outcome)
            self._outcome.traces += 1
            if isinstance(trace.recipe, ImportedRecipe):
                self._outcome.imported_traces += 1
                if self._photo is not None and trace.sample.photo is not None:
                    any_derived |= self._imported(self._photo, check)
                continue
            # A damaged row can raise any error, which must not end the check of the other traces.
            try:
                attested = check.requests(self._writer(check, trace.recipe))
            except Exception as error:
                check.fault("trace", "rows that make requests", "rows that fit together", error)
                attested = set()
            if self._photo is None or not self._is_the_photo(check):
                self._outcome.unverified_traces += 1
                continue
            any_derived = True
            try:
                self._images(self._photo, check, trace.recipe, attested)
            except Exception as error:
                check.fault("image", "the images", "images that can be derived", error)
        self._outcome.photos += any_derived

    def _imported(self, photo: bytes, check: _TraceCheck) -> bool:
        """Check the photo and images of an imported trace; whether it is the photo."""
        if not self._is_the_photo(check):
            return False
        proofs = check.trace.image_proofs
        self._outcome.imported_images.update(proof.proof for proof in proofs)
        # A damaged row can raise any error, which must not end the check of the other traces.
        try:
            any_differs = False
            for remade in remade_images(photo, check.trace, decoded=self._decoded):
                self._outcome.images += 1
                any_differs |= check.differs(remade.what, remade.turn, remade.known, remade.image)
            if any_differs:
                again = remade_images(photo, check.trace, decoded=self._decoded, with_pixels=True)
                for remade in again:
                    check.image(remade.what, remade.turn, remade.known, remade.image, set())
        except Exception as error:
            check.fault("image", "the images", "images that can be derived", error)
        return True

    def _is_the_photo(self, check: _TraceCheck) -> bool:
        known = check.trace.sample.photo
        if known is not None and known.sha256 == self._photo_sha256:
            return True
        row = check.trace.sample.sample_index
        check.fault(
            "photo",
            f"stored photo of row {row}",
            "no photo" if known is None else known.sha256,
            str(self._photo_sha256),
        )
        return False

    def _writer(self, check: _TraceCheck, recipe: Recipe) -> RequestWriter:
        """The writer of a recipe; checks the recipe's hash the first time."""
        expected = check.trace.key.recipe_sha256
        if expected not in self._writers:
            computed = recipe_hash(recipe)
            if computed != expected:
                check.fault("recipe", f"recipe {expected[:8]}", expected, computed)
            self._writers[expected] = RequestWriter(recipe)
        return self._writers[expected]

    def _images(self, photo: bytes, check: _TraceCheck, recipe: Recipe, attested: set[str]) -> None:
        trace = check.trace
        limits = recipe.limits
        if limits not in self._prepared:
            self._prepared[limits] = self._decoded.prepare(photo, limits)
        self._outcome.images += 1
        sent = self._prepared[limits]
        if check.differs("the photo as sent", 1, trace.photo, sent):
            with_pixels = self._decoded.prepare(photo, limits, with_pixels=True)
            check.image("the photo as sent", 1, trace.photo, with_pixels, attested)
        calls = [call for call in trace.calls if call.image is not None]
        if not calls:
            return
        full = self._decoded.get(photo)
        any_differs = False
        for call, image in tool_images(full, recipe, calls):
            self._outcome.images += 1
            if check.differs(f"image {call.image_index}", call.turn, call.image, image):
                any_differs = True
        if any_differs:
            # Pixels are hashed only now, because that takes time and helps only where bytes differ.
            for call, image in tool_images(full, recipe, calls, with_pixels=True):
                check.image(f"image {call.image_index}", call.turn, call.image, image, attested)


class _TraceCheck:
    """The check of one trace; adds its faults to an outcome."""

    def __init__(self, trace_id: int, trace: StoredTrace, outcome: Outcome) -> None:
        self.trace = trace
        self._trace_id = trace_id
        self._outcome = outcome

    def fault(
        self,
        kind: Kind,
        what: str,
        expected: str,
        actual: str | Exception,
        *,
        turn: int | None = None,
        pixels: Pixels = "unknown",
        attested: bool = False,
    ) -> None:
        if isinstance(actual, GeostoreError):
            actual = str(actual)
        elif isinstance(actual, Exception):
            actual = f"{type(actual).__name__}: {actual}"
        self._outcome.faults.append(
            Fault(
                kind,
                self._trace_id,
                self.trace.name,
                turn,
                what,
                expected,
                actual,
                pixels,
                attested,
            )
        )

    def requests(self, writer: RequestWriter) -> set[str]:
        """Rebuild every request; the hashes of all images that requests with a right hash name."""
        attested: set[str] = set()
        wrong = []
        for turn, messages in zip(self.trace.turns, sent_requests(self.trace), strict=True):
            computed = writer.hash(messages, RequestForm.of_json(turn.request_form))
            if computed == turn.request_sha256:
                attested.update(sha256 for message in messages for sha256 in message.images)
            else:
                wrong.append((turn, computed))
        self._outcome.turns += len(self.trace.turns)
        if wrong:
            first, computed = wrong[0]
            what = f"request of turn {first.turn}"
            if len(wrong) > 1:
                what = "requests of turns " + ", ".join(str(turn.turn) for turn, _ in wrong)
            self.fault("request", what, str(first.request_sha256), computed, turn=first.turn)
        return attested

    def differs(self, what: str, turn: int, known: ImageFacts | None, image: SentImage) -> bool:
        """Whether an image's bytes differ; where they do not, check its size in the rows."""
        if known is None or known.sha256 != image.sha256:
            return True
        if _size(known) != _size(image):
            self.fault("size", f"size of {what}", _size(known), _size(image), turn=turn)
        return False

    def image(
        self,
        what: str,
        turn: int,
        known: ImageFacts | None,
        image: SentImage,
        attested: set[str],
    ) -> None:
        """Add a fault if an image's bytes differ. image: with the hash of its pixels."""
        if known is None:
            self.fault("trace", what, "its hash", "no hash in the rows", turn=turn)
            return
        if known.sha256 == image.sha256:
            return
        pixels: Pixels = "unknown"
        if known.pixels_xxh128 is not None and image.pixels_xxh128 is not None:
            pixels = "same" if known.pixels_xxh128 == image.pixels_xxh128 else "other"
        self.fault(
            "bytes",
            what,
            known.sha256,
            image.sha256,
            turn=turn,
            pixels=pixels,
            attested=known.sha256 in attested,
        )


def _size(image: ImageFacts | SentImage) -> str:
    sent = f"{image.width} x {image.height}"
    return f"{sent} of {image.full_width} x {image.full_height}"
