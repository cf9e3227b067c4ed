"""Decides the next step of a trace from its rows: ask, run a tool call, or close.

`Conversation` takes turns and tool calls in order, whether they come from a
running trace or from the store, and says which step comes next. It uses no clock,
no network, no pixels and no database. So a conversation that was cut anywhere goes
on exactly as it would have without the cut.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from geostore.answers import has_answer, parse_answer
from geostore.conversation.call_objects import WrittenCall
from geostore.conversation.calls import written_calls
from geostore.conversation.messages import (
    Message,
    RequestWriter,
    assistant_message,
    lead_in,
)
from geostore.conversation.request_form import USUAL_FORM, RequestForm
from geostore.conversation.sent import write_turns
from geostore.records import Answer, Closing, ImageFacts, LimitKind, Recipe, ToolCall, Turn
from geostore.tools import current_image_after


@dataclass(frozen=True, slots=True)
class Ask:
    """Send a request; its response becomes the next turn."""

    turn: int
    """The number of that turn, from 1."""

    turn_limit: int
    """The limit on turns that the request was written under; its last turn says so."""

    messages: tuple[Message, ...]
    """The whole conversation so far."""

    request_sha256: str
    """Hash of the canonical request."""

    form: RequestForm
    """How the request is written, for the row of the turn."""

    may_leave_out: bool
    """Whether the turn can be asked for once more without new images, at a limit of the server."""


@dataclass(frozen=True, slots=True)
class Run:
    """Run a tool call of the last turn, and feed its row."""

    turn: int
    """The number of that turn, from 1."""

    call_index: int
    """The call's place in the turn, from 0."""

    written: WrittenCall
    """The call as the teacher wrote it."""

    refused: bool
    """Whether it is past the recipe's limit of calls in one response, and only gets a refusal."""

    images: tuple[ImageFacts, ...]
    """Facts of every image so far, by number."""

    current_image: int
    """The number of the image that a call without `img_idx` means."""

    earlier: tuple[ToolCall, ...]
    """All calls of the trace so far."""


Step = Ask | Run | Closing


class Conversation:
    """One trace's rows so far. Feed rows in order; `next` says which step comes next.

    writer: of the same recipe; traces of a recipe share it.
    """

    def __init__(self, recipe: Recipe, writer: RequestWriter, photo: ImageFacts) -> None:
        self.recipe = recipe
        self.turns: list[Turn] = []
        self.calls: list[ToolCall] = []
        self.images: list[ImageFacts] = [photo]
        self._writer = writer
        self._photo = photo
        # All up to the last response, written in this form.
        self._messages: list[Message] = []
        self._form = USUAL_FORM
        self._written: tuple[WrittenCall, ...] = ()
        self._turn_calls: list[ToolCall] = []
        self._nudges = 0
        # The limits for which requests of the next turn were refused.
        self._limits_met: list[LimitKind] = []
        # None: the last response was not read for an answer yet.
        self._answered: bool | None = None

    @classmethod
    def resume(
        cls,
        recipe: Recipe,
        writer: RequestWriter,
        photo: ImageFacts,
        *,
        turns: Iterable[Turn],
        calls: Sequence[ToolCall],
        limits_met: Iterable[LimitKind] = (),
    ) -> Conversation:
        """The conversation that these rows make; turns and calls each in order.

        limits_met: as `add_limit` takes them, of the turn after the last.
        """
        conversation = cls(recipe, writer, photo)
        waiting = list(reversed(calls))
        for turn in turns:
            conversation.add_turn(turn)
            while waiting and waiting[-1].turn == turn.turn:
                conversation.add_call(waiting.pop())
        for kind in limits_met:
            conversation.add_limit(kind)
        return conversation

    def add_turn(self, turn: Turn) -> None:
        """Take the response to the request that `next` asked for.

        Raises ValueError for a turn that is not the next.
        """
        if turn.turn != len(self.turns) + 1:
            raise ValueError(f"turn {turn.turn} cannot follow turn {len(self.turns)}")
        # Only an imported turn has none, and it is never resumed.
        assert turn.turn_limit is not None
        if self.turns and not self._turn_calls:
            self._nudges += 1
        form = replace(self._form, images_left_out=RequestForm.of(turn).images_left_out)
        self._messages += self._lead_in(turn.turn_limit, form)
        self._messages.append(assistant_message(turn, form.under(self.recipe)))
        self.turns.append(turn)
        self._written = written_calls(self.recipe, turn)
        self._turn_calls = []
        self._answered = None
        self._limits_met = []

    def add_limit(self, kind: LimitKind) -> None:
        """Take that the server refused a request that `next` asked for, at a limit of its own.

        Where the last observation brings images, each second request leaves them out:
        after one refusal the answer is asked for without them, and after two the trace is
        closed. A trace that is opened again (``--retry refused``) begins with its images
        again. So the number of refusals decides, and no row has to say which is which.
        """
        self._limits_met.append(kind)

    def end_at(self, kind: LimitKind) -> Closing:
        """How the trace ends at a limit that leaves no other request to try."""
        return Closing("answered", "answer") if self._is_answered() else Closing("exhausted", kind)

    def add_call(self, call: ToolCall) -> None:
        """Take the result of the call that `next` asked to run.

        Raises ValueError for a call that is not the next.
        """
        if call.turn != len(self.turns) or call.call_index != len(self._turn_calls):
            raise ValueError(f"call {call.call_index} of turn {call.turn} is out of order")
        self.calls.append(call)
        self._turn_calls.append(call)
        if call.image is not None:
            self.images.append(call.image)

    def next(self, turn_limit: int, *, go_on: bool = False) -> Step:
        """The next step under a limit on turns; the same until another row is fed.

        go_on: ask for an answer once more where the trace would end without one,
        because the token limit cut the response or the last nudge was used.
        """
        if not self.turns:
            return self._ask(turn_limit)
        last = self.turns[-1]
        at_limit = len(self.turns) >= turn_limit
        if last.finish_reason == "length":
            whole = not self._written and read_answer(last, cut=True).failure is None
            if whole or not go_on or at_limit:
                return Closing("answered" if whole else "exhausted", "truncated")
            return self._ask(turn_limit)
        if last.finish_reason == "content_filter":
            return Closing("exhausted", "content_filter")
        if last.finish_reason == "refusal":
            return Closing("exhausted", "refused")
        calls_matter = self.recipe.answer_with_calls == "run_calls" or not self._is_answered()
        at_a_limit = RequestForm.of(last).images_left_out
        if at_a_limit is not None and not go_on:
            # It was asked for its answer, without a call, because nothing more can be shown.
            return self.end_at(at_a_limit)
        # A turn of an earlier release may have calls in its rows that are read otherwise today.
        if (self._written or self._turn_calls) and calls_matter:
            if at_limit:
                # No request can follow, so nobody would read what the tools give back. The calls
                # stay unrun, so that a later run with a higher limit can run them.
                return _at_limit(self._is_answered())
            if len(self._turn_calls) < len(self._written):
                return self._run()
            return self._ask(turn_limit)
        if self._is_answered():
            return Closing("answered", "answer")
        if at_limit:
            return _at_limit(answered=False)
        if self._nudges >= self.recipe.max_nudges and not go_on:
            return Closing("exhausted", "no_answer")
        return self._ask(turn_limit)

    def _is_answered(self) -> bool:
        """Whether the last response answers. Reading it is slow, so it is read only when asked."""
        if self._answered is None:
            self._answered = has_answer(self.turns[-1].response)
        return self._answered

    def in_form(self, ask: Ask, form: RequestForm) -> Ask:
        """The request that `next` asked for, written in a form of the server's.

        Later ones are written in it, too. The form that a turn's request had in the end
        belongs into its row.
        """
        if form != self._form:
            self._messages = self._messages_in(form)
            self._form = form
        return self._ask(ask.turn_limit)

    def is_other_in(self, ask: Ask, form: RequestForm) -> bool:
        """Whether the request would be another one in a form of the server's than it is."""
        form = replace(form, images_left_out=ask.form.images_left_out)
        messages = [*self._messages_in(form), *self._lead_in(ask.turn_limit, form)]
        return self._writer.hash(messages, form) != ask.request_sha256

    def _messages_in(self, form: RequestForm) -> list[Message]:
        """All messages up to the last response, in a form."""
        if not self.turns:
            return []
        per_turn = write_turns(self.recipe, self._photo, self.turns, self.calls, form)
        last = assistant_message(self.turns[-1], form.under(self.recipe))
        return [*(message for messages in per_turn for message in messages), last]

    def _ask(self, turn_limit: int) -> Ask:
        may_leave_out = any(call.image is not None for call in self._turn_calls)
        form = self._form
        if may_leave_out and len(self._limits_met) % 2:
            form, may_leave_out = replace(form, images_left_out=self._limits_met[-1]), False
        messages = (*self._messages, *self._lead_in(turn_limit, form))
        return Ask(
            turn=len(self.turns) + 1,
            turn_limit=turn_limit,
            messages=messages,
            request_sha256=self._writer.hash(messages, form),
            form=form,
            may_leave_out=may_leave_out,
        )

    def _run(self) -> Run:
        index = len(self._turn_calls)
        return Run(
            turn=len(self.turns),
            call_index=index,
            written=self._written[index],
            refused=index >= self.recipe.max_calls_per_turn,
            images=tuple(self.images),
            current_image=current_image_after(self.calls),
            earlier=tuple(self.calls),
        )

    def _lead_in(self, turn_limit: int, form: RequestForm) -> list[Message]:
        """The messages between the last response and the next, under that turn's limit."""
        return lead_in(
            self.recipe,
            self._photo,
            self.turns[-1] if self.turns else None,
            self._turn_calls,
            last_turn=len(self.turns) + 1 >= turn_limit,
            form=form.under(self.recipe),
        )


def read_answer(turn: Turn, *, cut: bool) -> Answer:
    """The answer in a final response. cut: whether the token limit ended it."""
    return parse_answer(
        turn.response,
        cut=cut,
        bare=is_bare(turn),
        calls=turn.native_calls is not None,
        refused=turn.finish_reason == "refusal",
    )


def is_bare(turn: Turn) -> bool:
    """Whether a response is the first of its trace and came without reasoning."""
    return turn.turn == 1 and turn.reasoning_source is None


def _at_limit(answered: bool) -> Closing:
    return Closing("answered", "answer") if answered else Closing("exhausted", "turn_limit")
