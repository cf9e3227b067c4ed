"""Makes the images of imported traces again, and keeps as rows what could be proven.

It works on what the store holds: every imported trace whose photo is known and whose
images were not made again yet. So an import that was stopped goes on where it was, and
traces of an earlier import are taken in too. The file of a trace is read once more,
because the store keeps no pixels.
"""

from __future__ import annotations

import os
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import cache
from itertools import product
from typing import TYPE_CHECKING

from geostore.conversation.images import PhotoSource
from geostore.errors import DatasetError, GeostoreError, ImageError
from geostore.imaging import DecodedPhotos, decode, resize
from geostore.imaging.likeness import small_copy
from geostore.importing.box_frames import EDGES, FrameChoice, FrameName, SeenBox, choose_frame
from geostore.importing.documents import BadFile
from geostore.importing.file_images import images_beside, images_in, images_shown
from geostore.importing.files import path_text, real_path
from geostore.importing.remaking import (
    CUTS,
    SOURCES,
    Reading,
    RemadeTrace,
    remake,
    unknown_call,
    zoom_numbers,
)
from geostore.importing.reread import Rereader
from geostore.proofs import ImageProof, ProofKind, Resample
from geostore.records import ImageFacts, StoredTrace
from geostore.store import Store
from geostore.store.image_proofs import (
    NamedFrame,
    UnprovenRecipe,
    confirm_box_frame,
    files_of_trace,
    find_box_frame,
    put_box_frame,
    put_remade,
    unproven_recipes,
    unproven_traces,
)

if TYPE_CHECKING:
    from PIL import Image

_LOOKED_AT = 60  # traces whose boxes are looked at to find a recipe's frame
_TRIED = 4  # of these, those that are made again in every way
_SHORT_SIDE = 768  # pixels a side of the photo while frames are tried
_AT_ONCE = 32  # traces that are written in one transaction
_NAMED = 10


@dataclass(frozen=True, slots=True)
class LeftOut:
    """An imported trace whose images cannot all be made again."""

    trace: str
    """Its name."""
    image_index: int
    """The number of the first image that cannot; 0 is the photo."""
    turn: int
    """The turn whose call gave it; 0 for the photo."""
    why: str
    """Why it cannot, in words."""


@dataclass(frozen=True, slots=True)
class ReadFrame:
    """How the boxes of an imported recipe were read."""

    recipe: str
    """The first 8 hex of its hash."""
    choice: FrameChoice
    """The frame, and why."""
    reading: Reading
    """How edges and sources were read."""


@dataclass(frozen=True, slots=True)
class RemakeResult:
    """What making images again came to."""

    traces: int = 0
    """Traces whose images were made again or tried."""
    images: Counter[ProofKind] = field(default_factory=Counter, hash=False)
    """Their images by what could be proven."""
    left_out: int = 0
    """Of `traces`, those of which an image could not be made."""
    named: tuple[LeftOut, ...] = ()
    """The first ten of these."""
    frames: tuple[ReadFrame, ...] = ()
    """One for each recipe with boxes."""
    no_file: int = 0
    """Traces that wait, because their file or dataset cannot be read now."""
    no_file_why: str | None = None
    """Why the first of these cannot; None where there is none."""


@dataclass(frozen=True, slots=True)
class _Work:
    """A trace with all that is needed to make its images again."""

    trace_id: int
    trace: StoredTrace
    photo: bytes
    in_file: dict[str, bytes]
    problem: str | None = None
    """Why the photo is not the one that was drawn; None where it is."""


@dataclass(frozen=True, slots=True)
class _Made:
    """The images of a trace, without their pixels."""

    trace_id: int
    name: str
    remade: RemadeTrace


def remake_images(
    store: Store,
    *,
    frame: FrameName | None = None,
    source: str | os.PathLike[str] | None = None,
    on_progress: Callable[[int, int], None] | None = None,
) -> RemakeResult:
    """Make the images of imported traces again that were not made yet; see the module.

    frame: that of the boxes of traces of the file or folder `source`, whatever an earlier import
    took it for; None: what is known from an earlier import, or else is inferred.
    on_progress: called with how many traces are done, of how many. Raises StoreError.
    """
    named = None
    if frame is not None and source is not None:
        path = os.path.abspath(source)
        named = NamedFrame(frame, path_text(path), os.path.isdir(path))
        with store.db.transaction():
            confirm_box_frame(store.db, named)
    recipes = unproven_recipes(store.db, named)
    if not recipes:
        return RemakeResult()
    total = sum(recipe.traces for recipe in recipes)
    with Rereader() as files:
        remakes = _Remakes(store, files, frame, total, on_progress)
        for recipe in recipes:
            remakes.run(recipe, unproven_traces(store.db, recipe.recipe_id, named))
        return remakes.result()


class _Remakes:
    """One run over the traces that wait."""

    def __init__(
        self,
        store: Store,
        files: Rereader,
        frame: FrameName | None,
        total: int,
        on_progress: Callable[[int, int], None] | None,
    ) -> None:
        self._store = store
        self._files = files
        self._frame = frame
        self._total = total
        self._on_progress = on_progress
        self._source = PhotoSource()
        self._done = 0
        self._traces = 0
        self._images: Counter[ProofKind] = Counter()
        self._left_out: list[LeftOut] = []
        self._left_out_count = 0
        self._frames: list[ReadFrame] = []
        self._no_file = 0
        self._no_file_why: str | None = None

    def run(self, recipe: UnprovenRecipe, trace_ids: Sequence[int]) -> None:
        """Make the images of these traces of a recipe."""
        self._remake(trace_ids, self._reading(recipe, trace_ids))

    def result(self) -> RemakeResult:
        """What all of it came to."""
        return RemakeResult(
            traces=self._traces,
            images=self._images,
            left_out=self._left_out_count,
            named=tuple(self._left_out),
            frames=tuple(self._frames),
            no_file=self._no_file,
            no_file_why=self._no_file_why,
        )

    # --- how calls are read ---------------------------------------------------------------

    def _reading(self, recipe: UnprovenRecipe, trace_ids: Sequence[int]) -> Reading:
        """How the calls of a recipe are read: as before, as the user says, or as the images say."""
        known = find_box_frame(self._store.db, recipe.recipe_id)
        if known is not None and self._frame in (None, known["bbox_frame"]):
            return Reading(known["bbox_frame"], known["edges"], known["sources"], known["cut_from"])
        works = [work for work in self._sample(trace_ids) if work is not None]
        boxes = [box for work in works for box in _seen_boxes(work)]
        choice = choose_frame(boxes, given=self._frame, model=recipe.model)
        reading = Reading(choice.frame)
        if any(box.shown is not None for box in boxes):
            reading = _best_reading(works, reading)
        if not boxes:
            return reading
        recipe_sha256 = works[0].trace.key.recipe_sha256
        self._frames.append(ReadFrame(recipe_sha256[:8], choice, reading))
        with self._store.db.transaction():
            put_box_frame(
                self._store.db,
                recipe.recipe_id,
                bbox_frame=choice.frame,
                known_by=choice.known_by,
                boxes=choice.boxes,
                fitting=choice.fitting,
                others=choice.others,
                edges=reading.edges,
                sources=reading.sources,
                cut_from=reading.cut_from,
            )
        return reading

    def _sample(self, trace_ids: Sequence[int]) -> Iterator[_Work | None]:
        """Some traces with zooms, from all over the recipe's traces."""
        step = max(1, len(trace_ids) // _LOOKED_AT)
        for trace_id in trace_ids[::step][:_LOOKED_AT]:
            trace = self._trace(trace_id)
            if any(zoom_numbers(call) for call in trace.calls):
                work = self._work(trace_id, trace)
                yield None if isinstance(work, str) else work

    # --- making ---------------------------------------------------------------------------

    def _remake(self, trace_ids: Sequence[int], reading: Reading) -> None:
        batch: list[_Made] = []
        for made in self._made(trace_ids, reading):
            batch.append(made)
            if len(batch) == _AT_ONCE:
                self._write(batch, reading)
                batch = []
        self._write(batch, reading)

    def _made(self, trace_ids: Sequence[int], reading: Reading) -> Iterator[_Made]:
        """Each trace with its images, in order; made a few traces ahead."""
        # Pillow lets other threads run while it decodes; rows and datasets are read in this one.
        workers = min(8, os.cpu_count() or 1)
        waiting: deque[tuple[int, str, Future[RemadeTrace]]] = deque()
        with ThreadPoolExecutor(workers) as pool:
            for trace_id in trace_ids:
                trace = self._trace(trace_id)
                work = self._work(trace_id, trace)
                if isinstance(work, str):
                    self._no_file += 1
                    self._no_file_why = self._no_file_why or work
                    self._progress(1)
                    continue
                waiting.append((trace_id, trace.name, pool.submit(_remade, work, reading)))
                if len(waiting) > 2 * workers:
                    first_id, name, future = waiting.popleft()
                    yield _Made(first_id, name, future.result())
            while waiting:
                first_id, name, future = waiting.popleft()
                yield _Made(first_id, name, future.result())

    def _trace(self, trace_id: int) -> StoredTrace:
        """A trace as its file has it, without what its boxes meant in another frame."""
        trace = self._store.traces.get_trace(trace_id)
        return replace(trace, calls=tuple(unknown_call(call) for call in trace.calls))

    def _work(self, trace_id: int, trace: StoredTrace) -> _Work | str:
        """What is needed to make a trace's images; or why it cannot be had now."""
        try:
            in_file = self._images_in_file(trace_id)
            photo = self._source.photo_bytes(trace)
        except (OSError, BadFile, DatasetError) as error:
            return f"{trace.name}: {error}"
        except ImageError as error:
            return _Work(trace_id, trace, b"", in_file, str(error))
        return _Work(trace_id, trace, photo, in_file)

    def _images_in_file(self, trace_id: int) -> dict[str, bytes]:
        """The images in a file of a trace. Raises OSError, BadFile where none can be read."""
        problem: OSError | BadFile | None = None
        for path, sha256 in files_of_trace(self._store.db, trace_id):
            try:
                document = self._files.document(path, sha256)
                return images_in(document) | images_beside(document, real_path(path))
            except (OSError, BadFile) as error:
                problem = problem or error
        assert problem is not None  # an imported trace has a file
        raise problem

    def _write(self, batch: Sequence[_Made], reading: Reading) -> None:
        with self._store.db.transaction():
            for made in batch:
                put_remade(
                    self._store.db,
                    made.trace_id,
                    photo=made.remade.photo,
                    calls=made.remade.calls,
                    proofs=made.remade.proofs,
                    frame=reading.frame,
                )
        for made in batch:
            self._traces += 1
            self._images.update(proof.proof for proof in made.remade.proofs)
            failed = [proof for proof in made.remade.proofs if proof.proof == "not"]
            if failed:
                self._left_out_count += 1
                if len(self._left_out) < _NAMED:
                    first, why = failed[0], failed[0].why or ""
                    self._left_out.append(LeftOut(made.name, first.image_index, first.turn, why))
        self._progress(len(batch))

    def _progress(self, traces: int) -> None:
        self._done += traces
        if self._on_progress is not None and traces:
            self._on_progress(self._done, self._total)


def _remade(work: _Work, reading: Reading, decoded: DecodedPhotos | None = None) -> RemadeTrace:
    problem = work.problem
    if problem is None:
        try:
            return remake(work.trace, work.photo, work.in_file, reading, decoded)
        except GeostoreError as error:
            problem = f"it cannot be used: {error}"
    proof = ImageProof(0, "not", 0, why=problem)
    return RemadeTrace(None, work.trace.calls, (proof,))


def _seen_boxes(work: _Work) -> Iterator[SeenBox]:
    """The boxes that a trace's teacher named of the photo, before it was turned."""
    shown = images_shown(work.trace)
    try:
        photo = DecodedPhotos().get(work.photo)
    except ImageError:
        return
    width, height = photo.size
    sent = next((_size(work.in_file.get(name)) for name in shown.get(0, ())), None)
    source = ImageFacts("", *(sent or photo.size), width, height)
    scale = min(1.0, _SHORT_SIDE / min(width, height))
    small = resize(photo, (max(1, round(width * scale)), max(1, round(height * scale))))
    for turn in work.trace.turns:
        calls = [call for call in work.trace.calls if call.turn == turn.turn and call.success]
        names = shown.get(turn.turn, [])
        even = len(names) == len(calls)
        for number, call in enumerate(calls):
            numbers = zoom_numbers(call)
            if numbers is None:
                return  # the photo may be turned from here on
            if '"img_idx"' in call.raw_arguments:
                continue
            data = work.in_file.get(names[number]) if even else None
            yield SeenBox(numbers, source, small, _small(data))


def _best_reading(works: Sequence[_Work], reading: Reading) -> Reading:
    """The reading that gives the images of some traces most exactly; the usual one of equals."""
    # Those with the most calls, as only they can tell what a call without img_idx means.
    tried = sorted(works, key=lambda work: -sum(call.success for call in work.trace.calls))[:_TRIED]

    decoded = DecodedPhotos()
    filters: Counter[Resample] = Counter()
    perfect: list[Reading] = []

    @cache
    def rank(candidate: Reading) -> tuple[int, int, float]:
        if perfect:
            return 0, 0, 0.0  # no other reading can do better
        proofs = [proof for work in tried for proof in _remade(work, candidate, decoded).proofs]
        kinds = Counter(proof.proof for proof in proofs)
        makings = (proof.making for proof in proofs if proof.proof == "exact")
        filters.update(making.resample for making in makings if making is not None)
        if not kinds["near"] and not kinds["not"]:
            perfect.append(candidate)
        difference = sum(min(proof.difference or 0.0, 64.0) for proof in proofs)
        return kinds["exact"], kinds["exact"] + kinds["near"], -round(difference, 1)

    best = reading
    for edges, cut_from in product(EDGES, CUTS):
        if rank(candidate := replace(reading, edges=edges, cut_from=cut_from)) > rank(best):
            best = candidate
    for sources in SOURCES:
        if rank(candidate := replace(best, sources=sources)) > rank(best):
            best = candidate
    return replace(best, resample=filters.most_common(1)[0][0]) if filters else best


def _size(data: bytes | None) -> tuple[int, int] | None:
    try:
        return None if data is None else decode(data).size
    except ImageError:
        return None


def _small(data: bytes | None) -> Image.Image | None:
    """A small copy of an image; None where there is none that can be read."""
    try:
        return None if data is None else small_copy(decode(data))
    except ImageError:
        return None
