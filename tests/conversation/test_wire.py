"""Messages as bytes: written once, and again only where they changed."""

from __future__ import annotations

import json
from dataclasses import replace

from geostore.conversation.messages import (
    Message,
    assistant_message,
    observation_messages,
    opening_messages,
)
from geostore.conversation.request_form import RequestForm
from geostore.conversation.wire import WireMessages
from geostore.records import SentImage, ToolCall, Turn
from tests.builders import recipe_of

PHOTO = SentImage("ab" * 32, 64, 48, 64, 48, data=b"photo", mime="image/jpeg")
ZOOM = SentImage("cd" * 32, 30, 20, 30, 20, data=b"zoom", mime="image/jpeg")
CALLS = '[{"id":"c","type":"function","function":{"name":"n","arguments":"{}"}}]'
TURN = Turn(1, "", None, None, CALLS, "tool_calls", 10, "00" * 32)
CALL = ToolCall(
    turn=1,
    call_index=0,
    name="image_zoom_in_tool",
    raw_arguments="{}",
    arguments="{}",
    source_index=0,
    box=None,
    angle=None,
    success=True,
    error_kind=None,
    flags=(),
    observation="Closer.",
    image=ZOOM.facts,
    image_index=1,
)
RECIPE = recipe_of(protocol="native")


def conversation(form: RequestForm, *, calls: bool = True) -> tuple[Message, ...]:
    opening = opening_messages(RECIPE, PHOTO, last_turn=False, form=form)
    if not calls:
        return tuple(opening)
    observed = observation_messages(TURN, [CALL], last_turn=False, form=form)
    return (*opening, assistant_message(TURN, form), *observed)


def shown(wire: list[bytes]) -> list[str]:
    text = b",".join(wire).decode()
    return [name for name in text.split('"url":"') if name.startswith("data:")]


def test_messages_that_were_written_are_not_written_again() -> None:
    wire = WireMessages()
    wire.show([PHOTO])
    first = list(wire.write(conversation(RequestForm(), calls=False)))
    wire.show([ZOOM])
    second = wire.write(conversation(RequestForm()))
    assert all(one is other for one, other in zip(first, second, strict=False))
    assert len(shown(second)) == 2


def test_another_form_has_the_same_images_wherever_they_stand_in_it() -> None:
    wire = WireMessages()
    wire.show([PHOTO, ZOOM])
    usual = list(wire.write(conversation(RequestForm())))
    for form in (
        RequestForm(system_role="user", images="in_tool"),
        RequestForm(images="after_assistant"),
        RequestForm(),
    ):
        again = wire.write(conversation(form))
        assert [json.loads(message)["role"] for message in again] == [
            json.loads(message.canonical)["role"] for message in conversation(form)
        ]
        assert [text[:60] for text in shown(again)] == [text[:60] for text in shown(usual)]
    assert wire.write(conversation(RequestForm())) == usual


def test_an_image_that_a_request_left_out_may_come_again() -> None:
    wire = WireMessages()
    wire.show([PHOTO, ZOOM])
    whole = list(wire.write(conversation(RequestForm())))
    without = observation_messages(TURN, [replace(CALL, image=None)], last_turn=True)
    shorter = (*conversation(RequestForm())[:3], *without)
    assert len(shown(wire.write(shorter))) == 1
    assert wire.write(conversation(RequestForm())) == whole
