"""Makes the rows of what the teacher sent: a turn of a reply, an attempt of a failure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import fields

from geostore.conversation.estimates import estimate_failure, estimate_turn
from geostore.conversation.machine import Ask, Conversation
from geostore.conversation.messages import Message, name_cut_thought
from geostore.errors import TeacherError
from geostore.records import FailedAttempt, ImageFacts, Reply, Turn

_MESSAGE_LENGTH = 500


def paid_turn(step: Ask, reply: Reply, conversation: Conversation) -> Turn:
    """The turn that a reply to the conversation's next request is."""
    # A turn has every field of a reply, under the same name.
    values = {member.name: getattr(reply, member.name) for member in fields(Reply)}
    turn = Turn(
        turn=step.turn,
        turn_limit=step.turn_limit,
        request_sha256=step.request_sha256,
        request_form=step.form.to_json(),
        **values,
    )
    turn = name_cut_thought(turn, conversation.turns)
    return estimate_turn(turn, step.messages, conversation.images)


def failed_attempt(
    error: TeacherError,
    message: str,
    *,
    turn: int,
    messages: Sequence[Message],
    images: Iterable[ImageFacts],
) -> FailedAttempt:
    """The attempt that a failed request is, with what it used.

    message: what to keep of the reason; it is cut to a readable length. messages: of the
    request. images: all that the messages show, and maybe others.
    """
    attempt = FailedAttempt(
        turn=turn,
        error_class=error.error_class,
        message=message[:_MESSAGE_LENGTH],
        http_status=error.status,
        usage=error.usage,
        response=error.response,
    )
    return estimate_failure(attempt, messages, images)
