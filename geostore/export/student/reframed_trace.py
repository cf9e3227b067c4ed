"""One trace in another frame of boxes: its calls are understood anew, then its words written.

Each call is understood by the tools themselves, once as it was and once in the new frame.
It has to mean what it meant: the same image, the same flags or the same fault, and a box
no further off than one unit of the new frame. Numbers are whole where that is enough, and
have decimals where it is not, such as in a very small box. Then the teacher's words are
written with the new numbers, and have to hold the calls that they held.

In prose four numbers are taken for a box where a call of the trace has the same four,
where a token or a name says so, or where they stand in square brackets, fit as a box, and
no second image could be meant. Others are left as they are, and counted.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import orjson

from geostore.conversation.call_objects import WrittenCall
from geostore.conversation.calls import written_calls
from geostore.conversation.recipe import tool_names
from geostore.export.student.box_text import BoxInText, Numbers, replace_boxes
from geostore.identity import canonical_text
from geostore.records import Box, ImageFacts, Recipe, StoredTrace, ToolCall, Turn
from geostore.tools import BadCall, Operation, current_image_after, observation, understand
from geostore.tools.arguments import Arguments
from geostore.tools.boxes import Frame, RefusedCall

_DECIMALS = (0, 1, 2)
# Faults that are found before or after arguments are read; their sentences know no frame.
_OTHER_FAULTS = frozenset({"too_many_calls", "malformed_call", "image_limit", "tool_crash"})
_LEAST_PART = 0.01  # of an image's side: below, four numbers in brackets are no sure box
_DIGITS = re.compile(r"[-+.\d]+")
_FARTHEST = 1e9  # numbers beyond are no places in an image

Write = Callable[[BoxInText], Numbers | None]


class Unprovable(Exception):
    """What cannot be re-framed, in words that go on after the trace's name."""


@dataclass(frozen=True, slots=True)
class NamedBox:
    """A box of a call, in both frames."""

    turn: int
    """The turn that made the call."""
    old: Numbers
    """The numbers that the teacher wrote."""
    new: Numbers
    """In the new frame."""


@dataclass(frozen=True, slots=True)
class _Reread:
    """A call in the new frame."""

    row: ToolCall
    """Its row; one that only stands for the call where it was not run."""
    was_run: bool
    """Whether it has a row in the store."""
    before: str
    """Its arguments as the teacher wrote them."""
    has_box: bool
    """Whether they hold a box that can be read."""


class TraceInFrame:
    """Re-frames one trace.

    new_recipe: the recipe in the new frame. photo: as it was sent. seen: an image with the
    size that boxes in the new frame are of.
    """

    def __init__(
        self,
        trace: StoredTrace,
        recipe: Recipe,
        new_recipe: Recipe,
        *,
        photo: ImageFacts,
        seen: Callable[[ImageFacts], ImageFacts],
    ) -> None:
        self.boxes: list[NamedBox] = []
        """The boxes of calls, in order."""
        self.in_words = 0
        """Further boxes in the words that were re-framed."""
        self.left = 0
        """Times that four numbers were left as they are."""
        self._trace = trace
        self._recipe, self._new_recipe = recipe, new_recipe
        self._seen = seen
        self._images: list[ImageFacts] = [photo]
        # By turn: how many images there are when it is written, and which one lies on the table.
        self._known: dict[int, tuple[int, int]] = {}

    def reframed(self) -> StoredTrace:
        """The trace in the new frame. Raises Unprovable."""
        calls = list(self._understood())
        turns: list[Turn] = []
        rows: list[ToolCall] = []
        for turn in self._trace.turns:
            own = [call for call in calls if call.row.turn == turn.turn]
            new_turn = self._turn(turn)
            turns.append(new_turn)
            rows += self._checked(turn, new_turn, own)
        photo = self._seen(self._images[0])
        return replace(
            self._trace,
            recipe=self._new_recipe,
            photo=photo,
            turns=tuple(turns),
            calls=tuple(rows),
        )

    # --- calls ------------------------------------------------------------------------------

    def _understood(self) -> Iterator[_Reread]:
        """Every call in the new frame, in order, those of the last turn that were not run too."""
        earlier: list[ToolCall] = []  # as they are stored
        again: list[ToolCall] = []  # as the tools understand them in the new frame
        for turn in self._trace.turns:
            self._known[turn.turn] = (len(self._images), current_image_after(earlier))
            rows = [call for call in self._trace.calls if call.turn == turn.turn]
            for row in rows:
                call, repeated = self._understood_again(row, earlier, again, was_run=True)
                yield call
                earlier.append(row)
                again.append(repeated)
                if row.image is not None:
                    self._images.append(row.image)
            if not rows and turn is self._trace.turns[-1] and turn.finish_reason != "length":
                for number, written in enumerate(written_calls(self._recipe, turn)):
                    row = _not_run(written, turn.turn, number)
                    yield self._understood_again(row, earlier, again, was_run=False)[0]

    def _understood_again(
        self,
        row: ToolCall,
        earlier: Sequence[ToolCall],
        again: Sequence[ToolCall],
        *,
        was_run: bool,
    ) -> tuple[_Reread, ToolCall]:
        """The call in the new frame, and a row with the box that the tools read there."""
        old = self._understand(row.name, row.raw_arguments, earlier, new=False)
        if was_run and not self._is_row(row, old):
            raise Unprovable(f"{_place(row)} is read otherwise today than when it was run")
        source = current_image_after(earlier) if old.source_index is None else old.source_index
        numbers = _box_of(row.raw_arguments, self._old_frame(source))
        raw, written, new = self._same_meaning(row, numbers, source, old, again)
        if numbers is not None and written is not None:
            self.boxes.append(NamedBox(row.turn, numbers, written))
        call, repeated = replace(row, raw_arguments=raw), row
        if isinstance(new, BadCall):
            if row.error_kind == new.error_kind:
                call = replace(call, observation=new.sentence)
        elif row.image is not None:
            sentence = self._sentence(new, row, new_frame=True)
            call = replace(call, arguments=new.arguments, observation=sentence)
            repeated = replace(call, box=new.box)
        return _Reread(call, was_run, row.raw_arguments, numbers is not None), repeated

    def _same_meaning(
        self,
        row: ToolCall,
        numbers: Numbers | None,
        source: int,
        old: Operation | BadCall,
        again: Sequence[ToolCall],
    ) -> tuple[str, Numbers | None, Operation | BadCall]:
        """The arguments with the roundest numbers that mean the same, the box, and the meaning."""
        for decimals in _DECIMALS:
            raw, written = row.raw_arguments, None
            if numbers is not None:
                written = self._converted(numbers, source, decimals)
                raw = self._replaced(raw, _only(numbers, written))
            new = self._understand(row.name, raw, again, new=True)
            if self._is_the_same(old, new):
                return raw, written, new
        raise Unprovable(
            f"{_place(row)} would mean something else in the frame {self._new_recipe.bbox_frame}"
        )

    def _understand(
        self, name: str, raw: str, earlier: Sequence[ToolCall], *, new: bool
    ) -> Operation | BadCall:
        recipe = self._new_recipe if new else self._recipe
        return understand(
            name,
            raw,
            enabled=tool_names(recipe),
            images=self._facts(new),
            current_image=current_image_after(earlier),
            frame=recipe.bbox_frame,
            earlier=earlier,
        )

    def _is_row(self, row: ToolCall, old: Operation | BadCall) -> bool:
        """Whether the tools read a call as they did when it was run."""
        if row.error_kind in _OTHER_FAULTS:
            return True
        if isinstance(old, BadCall):
            return (row.error_kind, row.observation) == (old.error_kind, old.sentence)
        return (
            row.image is not None
            and (row.box, row.arguments) == (old.box, old.arguments)
            and row.source_index == old.source_index
            and row.observation == self._sentence(old, row, new_frame=False)
        )

    def _sentence(self, operation: Operation, row: ToolCall, *, new_frame: bool) -> str:
        assert row.image is not None
        assert row.image_index is not None
        return observation(
            operation,
            self._seen(row.image) if new_frame else row.image,
            image_index=row.image_index,
            images=self._facts(new_frame),
            frame=(self._new_recipe if new_frame else self._recipe).bbox_frame,
        )

    def _is_the_same(self, old: Operation | BadCall, new: Operation | BadCall) -> bool:
        if isinstance(old, Operation) and isinstance(new, Operation):
            before, after = (
                (call.source_index, call.angle, call.flags, call.repeat_of) for call in (old, new)
            )
            return before == after and self._is_near(old.box, new.box, old.source_index)
        if isinstance(old, BadCall) and isinstance(new, BadCall):
            faults = {(call.error_kind, call.source_index, call.repaired) for call in (old, new)}
            return len(faults) == 1
        return False

    def _is_near(self, old: Box | None, new: Box | None, source: int) -> bool:
        """Whether no edge moved by more than one unit of the new frame, or one pixel."""
        if old is None or new is None:
            return old is new
        image, frame = self._images[source], self._new_frame(source)
        units = (image.full_width / frame.width, image.full_height / frame.height) * 2
        edges = zip(old, new, units, strict=True)
        return all(abs(before - after) <= max(1.0, unit) for before, after, unit in edges)

    # --- numbers ----------------------------------------------------------------------------

    def _facts(self, new: bool) -> list[ImageFacts]:
        return [self._seen(image) for image in self._images] if new else self._images

    def _old_frame(self, source: int) -> Frame:
        return Frame(self._recipe.bbox_frame, self._images[source], source)

    def _new_frame(self, source: int) -> Frame:
        return Frame(self._new_recipe.bbox_frame, self._seen(self._images[source]), source)

    def _converted(self, numbers: Numbers, source: int, decimals: int = 0) -> Numbers:
        """A box of an image in the new frame, rounded half up."""
        old, new = self._old_frame(source), self._new_frame(source)
        if (old.name, old.limits) == (new.name, new.limits):
            return numbers
        a, b, c, d = numbers
        x_first = (b, a, d, c) if old.name == "norm1000_yx" else (a, b, c, d)
        scales = (new.width / old.width, new.height / old.height) * 2
        left, top, right, bottom = (
            _rounded(number * scale, decimals) if abs(number) < _FARTHEST else number
            for number, scale in zip(x_first, scales, strict=True)
        )
        return left, top, right, bottom

    def _replaced(self, text: str, write: Write) -> str:
        y_first = self._recipe.bbox_frame == "norm1000_yx"
        return replace_boxes(text, write, y_first=y_first, write_y_first=False)

    # --- words ------------------------------------------------------------------------------

    def _turn(self, turn: Turn) -> Turn:
        """The turn with its words in the new frame."""

        def written(text: str) -> str:
            return self._replaced(text, self._in_words(turn.turn, text))

        native = turn.native_calls
        if native is not None:
            value = self._in_json(orjson.loads(native), self._in_words(turn.turn, native))
            native = canonical_text(value)
        return replace(
            turn,
            reasoning=None if turn.reasoning is None else written(turn.reasoning),
            response=written(turn.response),
            native_calls=native,
        )

    def _in_json(self, value: Any, write: Write) -> Any:
        if isinstance(value, str):
            return self._replaced(value, write)
        if not isinstance(value, dict | list):
            return value
        members = value.values() if isinstance(value, dict) else value
        if any(isinstance(member, int | float) for member in members):
            # Servers that send the arguments as an object: the numbers stand in it as they are.
            return orjson.loads(self._replaced(orjson.dumps(value).decode(), write))
        if isinstance(value, list):
            return [self._in_json(member, write) for member in value]
        return {name: self._in_json(member, write) for name, member in value.items()}

    def _in_words(self, turn: int, text: str) -> Write:
        """What stands for four numbers in one text of a turn; None: they stay."""
        here: dict[Numbers, list[Numbers]] = {}
        for named in self.boxes:
            if named.turn == turn:
                here.setdefault(named.old, []).append(named.new)
        if any(len(set(boxes)) > 1 for boxes in here.values()):
            # The same numbers on images of other sizes: the calls stand in their order, behind
            # whatever is said of them first.
            times = self._times(text)
            for numbers, boxes in here.items():
                boxes[:0] = boxes[:1] * (times[numbers] - len(boxes))

        def write(box: BoxInText) -> Numbers | None:
            own = here.get(box.numbers)
            if own is None:
                return self._of_no_call_here(box, turn)
            return own.pop(0) if len(own) > 1 else own[0]

        return write

    def _times(self, text: str) -> Counter[Numbers]:
        """How often each four numbers stand in a text."""
        times: Counter[Numbers] = Counter()

        def count(box: BoxInText) -> None:
            times[box.numbers] += 1

        self._replaced(text, count)
        return times

    def _of_no_call_here(self, box: BoxInText, turn: int) -> Numbers | None:
        count, current = self._known[turn]
        elsewhere = [named for named in self.boxes if named.old == box.numbers]
        before = [named.new for named in elsewhere if named.turn < turn]
        if elsewhere:
            written = before[-1] if before else elsewhere[0].new
        elif box.is_marked:
            written = self._converted(box.numbers, current)
        elif box.has_square_brackets and self._is_box(box.numbers, current):
            meant = {self._converted(box.numbers, image) for image in range(count)}
            if len(meant) > 1:
                self.left += 1
                return None
            written = meant.pop()
        else:
            return None
        self.in_words += 1
        return written

    def _is_box(self, numbers: Numbers, source: int) -> bool:
        frame = self._old_frame(source)
        try:
            box, clamped = frame.source_box(numbers)
        except RefusedCall:
            return False
        image = frame.image
        parts = (box[2] - box[0]) / image.full_width, (box[3] - box[1]) / image.full_height
        return not clamped and min(parts) >= _LEAST_PART

    def _checked(self, old: Turn, new: Turn, calls: Sequence[_Reread]) -> Iterator[ToolCall]:
        """The rows of a turn's calls. Raises Unprovable unless its words hold the same calls."""
        before = written_calls(self._recipe, old)
        after = written_calls(self._new_recipe, new)
        same = len(before) == len(after)
        for number, call in enumerate(calls):
            was, now = (read[number] if number < len(read) else None for read in (before, after))
            row = call.row
            # Where the words are read otherwise today than they were then, the row says what ran.
            if was is not None and now is not None and was.raw_arguments == call.before:
                same &= not call.has_box or self._is_written_so(
                    now.raw_arguments, row.raw_arguments
                )
                row = replace(row, raw_arguments=now.raw_arguments)
            if call.was_run:
                yield row
        for was, now in zip(before, after, strict=False):
            # Digits in full width are written plainly, which may be all that had to be repaired.
            same &= (was.name, was.tagged) == (
                now.name,
                now.tagged,
            ) and now.repaired <= was.repaired
        if not same:
            raise Unprovable(f"a box in the words of turn {old.turn} cannot be re-framed")

    def _is_written_so(self, written: str, understood: str) -> bool:
        """Whether arguments in the words are those understood, but for boxes in a label."""
        frame = self._new_frame(0)
        return _box_of(written, frame) == _box_of(understood, frame) and (
            _DIGITS.sub("", written) == _DIGITS.sub("", understood)
        )


def _only(numbers: Numbers, written: Numbers) -> Write:
    """Writes one box in the place of another, and no more."""
    return lambda box: written if box.numbers == numbers else None


def _not_run(written: WrittenCall, turn: int, number: int) -> ToolCall:
    """A row that stands for a call of the last turn, which was not run."""
    return ToolCall(
        turn=turn,
        call_index=number,
        name=written.name,
        raw_arguments=written.raw_arguments,
        arguments=None,
        source_index=None,
        box=None,
        angle=None,
        success=False,
        error_kind=None,
        flags=(),
        observation=None,
        image=None,
        image_index=None,
    )


def _place(row: ToolCall) -> str:
    return f"call {row.call_index + 1} of turn {row.turn} ({row.name} {row.raw_arguments})"


def _box_of(raw: str, frame: Frame) -> Numbers | None:
    """The four numbers of a call's box, whatever else is wrong with it; None without them."""
    try:
        return Arguments.read(raw).box(frame)
    except (RefusedCall, KeyError):
        return None


def _rounded(number: float, decimals: int) -> float:
    scale = 10.0**decimals
    return math.floor(number * scale + 0.5) / scale
