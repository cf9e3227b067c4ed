"""The one stream that every format writes: traces in the order of the export, with their images.

A format decides how a trace looks in a file. What the trace is, what was sent in
it and which images belong to it is decided here, alike for all formats.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from geostore.conversation.completed import completed_messages
from geostore.conversation.messages import Message
from geostore.conversation.sent import sent_messages
from geostore.errors import ExportError, ImageError
from geostore.export.files.folder import ExportFolder
from geostore.export.files.layout import Layout, image_path
from geostore.export.images import (
    ExportedImage,
    shown_images,
    with_images,
)
from geostore.export.left_out import UnwrittenTraces
from geostore.export.options import ExportOptions
from geostore.export.splits import Splits
from geostore.export.student.for_student import ForStudent
from geostore.export.student.frames import Reframer
from geostore.export.student.lengths import RowLengths
from geostore.export.student.masks import masked_turns
from geostore.makers import maker_of
from geostore.records import SentImage, StoredTrace
from geostore.store import EVERY, Choice, Chosen, Filter, Snapshot

if TYPE_CHECKING:
    from geostore.export.student.dialogue import Dialogue

Choose = Callable[[Iterable[StoredTrace], ExportOptions, UnwrittenTraces], Iterator[StoredTrace]]
"""Gives the traces that a format writes, in their order, out of those that the filter keeps, and
counts the others."""


@dataclass(frozen=True, slots=True)
class ExportedTrace:
    """A trace as the formats get it."""

    trace: StoredTrace
    """Its rows: sample, recipe, turns, calls, answer and reward."""
    messages: tuple[tuple[Message, ...], ...]
    """Per turn, what its request added, as `conversation.sent.sent_messages` rebuilds it."""
    images: tuple[ExportedImage, ...]
    """Every image that was sent, by number; the messages hold them in this order. The messages of
    an imported trace name them by hash; empty where one of its images could not be made again."""
    folder: str
    """Where its files stand in the export: "" or a path with ``/`` at its end."""
    stem: str
    """The name of its files without suffix; no other trace in the folder has it."""
    split: str | None = None
    """The split that it belongs to, such as ``val``; None where the export has none."""
    photo_file: bytes | None = None
    """The photo's file as its dataset stores it, at full resolution; None in the mode
    ``reference``."""
    masked: frozenset[int] = frozenset()
    """The numbers of the turns that the student is not to learn."""


_make_image = maker_of(ExportedImage)
_make_exported = maker_of(ExportedTrace)


class ExportStream:
    """The traces that a filter keeps, read from one snapshot. Iterate over it once.

    Files of images are written into the folder on the way. Raises ExportError,
    naming the trace, where one cannot be exported.
    """

    def __init__(
        self,
        snapshot: Snapshot,
        filters: Filter,
        folder: ExportFolder,
        *,
        options: ExportOptions,
        choice: Choice = EVERY,
        splits: Splits | None = None,
        choose: Choose | None = None,
        chosen: Chosen | None = None,
    ) -> None:
        """choose: which of the traces are written, as a format wants it; None: all.

        chosen: what a choice kept of them, where it was made already.
        """
        images_needed = options.images != "reference"
        self._chosen = chosen or (
            None
            if choice == EVERY
            else snapshot.choose(filters, choice, with_turns=True, with_images=images_needed)
        )
        self.scope = (
            snapshot.scope(filters, with_images=images_needed)
            if self._chosen is None
            else snapshot.chosen_scope(self._chosen)
        )
        """The datasets and recipes of the traces, without those that are left out for an image."""
        self.options = options
        """How the traces are written; checked, so that `images` is not None."""
        self.reward_spec = snapshot.reward_spec(filters)
        """The reward of the scores; None where the store has none."""
        self.unwritten = UnwrittenTraces()
        """Traces so far that the filter keeps and that cannot be written, such as imported ones
        whose images cannot be made again. Formats add their own."""
        self.card: str | None = None
        """YAML between lines of ``---`` with which the README has to begin; None: it need not."""
        self.notes: list[str] = []
        """What a user has to know of the files before they are given to their reader, in words."""
        self.kept = 0
        """Traces so far that the filter keeps; not counted where a choice is made among them."""
        self.unproven = 0
        """Traces so far with images that no file proves; none where images are references."""
        self.for_student: ForStudent | None = None
        """The student of a trainer's format; None: it is for none."""
        self._choose = choose
        self.not_chosen: Counter[str] = Counter() if self._chosen is None else self._chosen.left_out
        """Traces that the filter keeps and the choice does not, by reason."""
        self.splits = splits
        """How the traces are split; None: they are not."""
        self.split_counts: Counter[str] = Counter()
        """Traces so far by split, without those that the format left out."""
        self._taken_back = 0
        self.without_value = 0
        """Of them, those of samples without the value by which they are split."""
        if splits is not None:
            splits.check_column(self.scope.datasets)
        self._layout = Layout(self.scope)
        self._snapshot = snapshot
        self._filters = filters
        self._folder = folder

    @property
    def lengths(self) -> RowLengths | None:
        """Measures the rows of a trainer's format; None: nobody asks for their length."""
        return None if self.for_student is None else self.for_student.lengths

    def count_row(self, *read: Dialogue) -> None:
        """Count the length of a row that is written; see `RowLengths.add_row`."""
        if self.lengths is not None:
            self.lengths.add_row(*read)

    @property
    def _reframer(self) -> Reframer | None:
        return None if self.for_student is None else self.for_student.reframer

    def stems(self, usual: str) -> tuple[str, str | None]:
        """The names, without suffix, of the files to train on, and of those to validate on.

        usual: of the former where the export has no splits; it then has none of the latter.
        Known when all traces are written.
        """
        splits = [name for name, _ in self.split_counts.most_common()]
        if not splits:
            return usual, None
        training = "train" if "train" in splits else splits[0]
        others = [name for name in splits if name != training]
        return training, "val" if "val" in others else next(iter(others), None)

    def __iter__(self) -> Iterator[ExportedTrace]:
        if self.splits is None:
            yield from self._all()
            return
        for exported in self._all():
            left_out = self.unwritten.counts.total() - self._taken_back
            self._count_in_split(exported, 1)
            yield exported
            # The format has written the trace by now, or has counted it among the unwritten.
            if self.unwritten.counts.total() - self._taken_back > left_out:
                self._count_in_split(exported, -1)

    def take_back(self, *given: ExportedTrace, reason: str) -> None:
        """Count traces among the unwritten that were given, such as those of a pair.

        reason: one that has words in `left_out`.
        """
        for exported in given:
            self.unwritten.counts[reason] += 1
            self._taken_back += 1
            self._count_in_split(exported, -1)

    def _count_in_split(self, exported: ExportedTrace, number: int) -> None:
        if self.splits is None:
            return
        split, trace = exported.split or "", exported.trace
        self.split_counts[split] += number
        if not self.split_counts[split]:
            del self.split_counts[split]  # a split without a trace has no file
        if not self.splits.has_value(trace.sample, trace.dataset):
            self.without_value += number

    def _all(self) -> Iterator[ExportedTrace]:
        traces = self._traces()
        if self.options.mask_turns:
            traces = self._with_turns_to_learn(traces)
        if self._reframer is not None:
            traces = self._with_known_frame(traces, self._reframer)
        if self._choose is not None:
            traces = self._choose(traces, self.options, self.unwritten)
        if self.options.images == "reference":
            for trace in traces:
                yield self._exported(trace)
            return
        for trace, photo, images in self._with_images(traces):
            self.unproven += any(proof.proof == "unseen" for proof in trace.image_proofs)
            yield self._exported(trace, images, photo)

    def _with_images(
        self, traces: Iterable[StoredTrace]
    ) -> Iterator[tuple[StoredTrace, bytes, list[SentImage]]]:
        """Each trace with its photo's file and all its images, by number."""
        # Imported here: it brings Pillow and the dataset library with it.
        from geostore.conversation.images import PhotoSource

        yield from with_images(traces, PhotoSource(self.options.dataset_path), self.unwritten)

    def _traces(self) -> Iterator[StoredTrace]:
        if self._chosen is None:
            for trace in self._snapshot.traces(self._filters, with_turns=True):
                self.kept += 1
                yield trace
            return
        yield from self._snapshot.chosen_traces(self._chosen)
        # They are not written: `with_images` counts them, and says of each which image it lacks.
        yield from self._snapshot.chosen_traces(self._chosen, left_out="images")

    def _with_turns_to_learn(self, traces: Iterator[StoredTrace]) -> Iterator[StoredTrace]:
        """The traces without those of which every turn is masked: a trainer stops at such a row."""
        for trace in traces:
            if len(self._masked(trace)) == len(trace.turns):
                self.unwritten.add(trace.name, "masked", "every turn of it is left out of the loss")
            else:
                yield trace

    def _with_known_frame(
        self, traces: Iterator[StoredTrace], reframer: Reframer
    ) -> Iterator[StoredTrace]:
        """The traces without those whose boxes would have to be re-framed and cannot be."""
        for trace in traces:
            why = reframer.why_not(trace)
            if why is None:
                yield trace
            else:
                self.unwritten.add(trace.name, "frame", why)

    def _masked(self, trace: StoredTrace) -> frozenset[int]:
        return masked_turns(trace, self.options.mask_turns)

    def _exported(
        self, trace: StoredTrace, sent: list[SentImage] | None = None, photo: bytes | None = None
    ) -> ExportedTrace:
        """sent: the bytes of all the trace's images by number, None where they are not derived.

        photo: its photo's file likewise.
        """
        try:
            shown = shown_images(trace)
            if self._reframer is not None:
                # Only the words change: the images have the sizes in which they were sent.
                trace = self._reframer.reframed(trace)
            written = completed_messages(trace) if trace.image_proofs else sent_messages(trace)
            messages = tuple(map(tuple, written))
        except ImageError as error:
            raise ExportError(str(error)) from error
        files: dict[int, str] = {}
        if sent and self.options.images == "files":
            for number, _, _ in shown:
                files[number] = image_path(sent[number])
                self._folder.add_once(files[number], sent[number].data)
        images = tuple(
            [
                _make_image(number, facts, call, sent[number] if sent else None, files.get(number))
                for number, facts, call in shown
            ]
        )
        split = None if self.splits is None else self.splits.of(trace.sample, trace.dataset)
        return _make_exported(
            trace=trace,
            messages=messages,
            images=images,
            folder=f"{'' if split is None else f'{split}/'}{self._layout.folder(trace)}",
            stem=self._layout.stem(trace),
            split=split,
            photo_file=photo,
            masked=self._masked(trace),
        )
