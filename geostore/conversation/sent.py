"""Rebuilds the messages that each request of a trace held, from its rows.

A trace of ours keeps no messages: they follow from its recipe, its photo as sent,
its turns and its calls. An imported trace keeps, in the row of each turn, the
messages that its file gave for it; `stored_messages` writes them and
`sent_messages` reads them. A turn's list holds what its request had and the
request before it had not, so it begins with the teacher's turn before. A list that
begins otherwise is the whole request: a server asked for another form of it, or an
imported file says so. An empty list is a request that an imported file did not say.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import orjson

from geostore.conversation.messages import Message, assistant_message, lead_in
from geostore.conversation.request_form import RequestForm
from geostore.errors import ImageError
from geostore.identity import canonical_json, canonical_text
from geostore.records import (
    ImageFacts,
    ImportedRecipe,
    LimitKind,
    Recipe,
    StoredTrace,
    ToolCall,
    Turn,
)

_SYSTEM = "system"  # in a row, in place of the message with the recipe's system prompt
_ASSISTANT = "assistant"  # in a row, in place of the turn before, as it is sent back


def sent_messages(trace: StoredTrace) -> list[list[Message]]:
    """Per turn, the messages that its request held and the request before it did not.

    All lists up to a turn's, joined, are that turn's request. Only rows decide: a
    later parser may read an answer where the first one read none, and the messages
    stay the same. Where a list does not begin with the teacher's turn before, it is a
    whole request: the first one's, one that was written in another form than the one
    before it (`request_form`), or one of an imported recipe. That of an imported recipe may
    be empty, too: the request is not known.
    Raises ImageError (kind ``unknown``) where the trace has turns and no photo as sent.
    """
    if isinstance(trace.recipe, ImportedRecipe):
        return [
            _imported(trace.recipe, trace.turns[number - 1] if number else None, turn)
            for number, turn in enumerate(trace.turns)
        ]
    return [messages for _, messages in _rebuilt(trace, trace.recipe)]


def sent_requests(trace: StoredTrace) -> Iterator[list[Message]]:
    """The whole request of each turn, of a trace that is not imported; see `sent_messages`."""
    assert isinstance(trace.recipe, Recipe)
    request: list[Message] = []
    for is_whole, messages in _rebuilt(trace, trace.recipe):
        request = messages if is_whole else request + messages
        yield request


def write_turns(
    recipe: Recipe,
    photo: ImageFacts,
    turns: Sequence[Turn],
    calls: Iterable[ToolCall],
    form: RequestForm,
) -> list[list[Message]]:
    """Per turn, what its request held beside that of the turn before, all in one form.

    But for images that were left out: that is a matter of each turn.
    """
    form = _leaving_out(form.under(recipe), None)
    by_turn: defaultdict[int, list[ToolCall]] = defaultdict(list)
    for call in calls:
        by_turn[call.turn].append(call)
    written = []
    for number, turn in enumerate(turns):
        assert turn.turn_limit is not None  # only imported turns have none
        before = turns[number - 1] if number else None
        in_form = form
        if turn.request_form is not None:
            in_form = _leaving_out(form, RequestForm.of(turn).images_left_out)
        messages = lead_in(
            recipe,
            photo,
            before,
            by_turn[before.turn] if before else (),
            last_turn=turn.turn >= turn.turn_limit,
            form=in_form,
        )
        written.append(messages if before is None else [assistant_message(before, form), *messages])
    return written


def shown_calls(trace: StoredTrace) -> list[ToolCall]:
    """The calls whose images the teacher was shown, in order; requests name them in this order.

    Left out are images that a request left out at a limit of the server, and those of
    a last turn that no request followed.
    """
    shown = {turn.turn - 1 for turn in trace.turns if not RequestForm.of(turn).images_left_out}
    return [call for call in trace.calls if call.image is not None and call.turn in shown]


def continues(messages: Sequence[dict[str, Any]]) -> bool:
    """Whether a turn's messages go on from the request before, instead of being a whole one."""
    return bool(messages) and messages[0].get("role") == "assistant"


def stored_messages(
    messages: Sequence[dict[str, Any]], recipe: ImportedRecipe, before: Turn | None
) -> str | None:
    """What the row of an imported turn keeps of its messages; None where there are none.

    The system prompt and the turn before stand in other rows, so a word stands for
    each of them. messages: their images named by hash. before: the turn before.
    """
    if not messages:
        return None
    entries: list[dict[str, Any] | str] = list(messages)
    system = None if recipe.system_prompt is None else _system_message(recipe.system_prompt)
    if entries[0] == system:
        entries[0] = _SYSTEM
    elif before is not None and canonical_json(entries[0]) == assistant_message(before).canonical:
        entries[0] = _ASSISTANT
    return canonical_text(entries)


def _rebuilt(trace: StoredTrace, recipe: Recipe) -> Iterator[tuple[bool, list[Message]]]:
    """Per turn, what `sent_messages` gives, and whether that is a whole request."""
    if not trace.turns:
        return
    if trace.photo is None:
        raise ImageError(
            f"{trace.name}: the store does not know which photo was sent", kind="unknown"
        )
    form: RequestForm | None = None
    written: list[list[Message]] = []
    for number, turn in enumerate(trace.turns):
        if number and turn.request_form == trace.turns[number - 1].request_form:
            yield False, written[number]  # as nearly always, without a look into the form
            continue
        in_form = _leaving_out(RequestForm.of(turn), None)
        if not number or in_form != form:
            before, form = written[:number], in_form
            written = write_turns(recipe, trace.photo, trace.turns, trace.calls, form)
            if written[:number] != before or not number:
                yield True, [message for messages in written[: number + 1] for message in messages]
                continue
        yield False, written[number]


def _leaving_out(form: RequestForm, limit: LimitKind | None) -> RequestForm:
    """A form in which images are left out for a limit, as nearly always the form itself."""
    return form if form.images_left_out == limit else replace(form, images_left_out=limit)


def _imported(recipe: ImportedRecipe, before: Turn | None, turn: Turn) -> list[Message]:
    messages = []
    for entry in orjson.loads(turn.messages or "[]"):
        if entry == _SYSTEM:
            assert recipe.system_prompt is not None
            messages.append(Message(_system_message(recipe.system_prompt)))
        elif entry == _ASSISTANT:
            assert before is not None
            messages.append(assistant_message(before))
        else:
            messages.append(Message(entry))
    return messages


def _system_message(prompt: str) -> dict[str, Any]:
    return {"role": "system", "content": prompt}
