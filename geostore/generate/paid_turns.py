"""Makes the turn of a reply: in its place in the conversation, with what it used."""

from __future__ import annotations

from dataclasses import fields

from geostore.conversation.estimates import estimate_turn
from geostore.conversation.machine import Ask, Conversation
from geostore.conversation.messages import name_cut_thought
from geostore.records import Reply, Turn


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
