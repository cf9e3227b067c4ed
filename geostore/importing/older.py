"""Makes rows of the files that the older scripts wrote, in both their forms.

The form ``history`` has ``conversation_history`` and ``tool_calls``. The later form
``log`` has ``initial_prompt``, ``conversation_log`` and ``tool_calls_log``. A value
that a file does not give (settings, requests, a box in pixels) is None. It is not
guessed from what such a script usually did.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import orjson

from geostore.answers import has_answer
from geostore.conversation.machine import read_answer
from geostore.conversation.messages import split_reasoning
from geostore.conversation.recipe import recipe_hash
from geostore.conversation.sent import stored_messages
from geostore.export.record import UNPARSED_KM
from geostore.importing.documents import (
    BadFile,
    as_switch,
    degrees,
    member,
    number,
    optional,
    optional_whole_number,
    switch,
    whole_number,
)
from geostore.importing.origin import (
    Origin,
    stated_dataset,
    stated_index,
    stated_rollout,
    unseen_dataset,
)
from geostore.importing.pixels import message_lists, own_part
from geostore.records import ImportedRecipe, Reward, Sample, ToolCall, Turn
from geostore.store.imports import ImportedTrace, Variant

UNKNOWN_ERROR = "unknown"
"""The error kind of a call that failed; these files do not say why."""

_CALL = re.compile(r"<tool_call\b|\"name\"\s*:.*\"arguments\"\s*:", re.DOTALL)
"""What the older scripts' teachers wrote a call as."""
_LONG_TEXT = 4096
_MOST_KM = 20_100.0  # half around the earth is 20,038 km at its equator
_MOST_POINTS = 5000.0
_REWARD_MEMBERS = frozenset({"score", "distance@km", "geoguessr@point", "parse_success"})


@dataclass(frozen=True, slots=True)
class _Conversation:
    """The conversation of a file, alike for both forms."""

    variant: Variant
    recipe: ImportedRecipe
    entries: tuple[Mapping[str, Any], ...]
    """One per turn."""
    response: str
    """The name of the member of an entry that holds the response."""
    where: str
    """The name of the list of entries, for messages about them."""
    messages: list[list[dict[str, Any]]]
    """Per turn, what was sent; [] where the file does not say."""
    calls: tuple[ToolCall, ...]


def is_trace(document: Mapping[str, Any]) -> bool:
    """Whether a JSON object looks like a trace file of any form."""
    return not {"conversation_history", "conversation_log"}.isdisjoint(document)


def read_older(document: Mapping[str, Any], origin: Origin) -> ImportedTrace:
    """The rows of a file; of its dataset only the path is known.

    Raises BadFile, which names the member that is missing or wrong.
    """
    is_history = document.get("conversation_history") is not None
    conversation = (_history if is_history else _log)(document, origin)
    turns = _turns(conversation, optional(document, "final_response", str))
    final = turns[-1].response
    _check_final(document, turns[-1])
    answer = read_answer(turns[-1], cut=False)
    reward, extra = read_reward(document)
    index = stated_index(document, origin)
    rollout = stated_rollout(document, origin)
    recipe = _with_tools(conversation, origin.tools)
    return ImportedTrace(
        variant=conversation.variant,
        stated_index=index,
        dataset=unseen_dataset(stated_dataset(document, origin)),
        dataset_seen=False,
        sample=read_sample(document, index),
        recipe=recipe,
        recipe_sha256=recipe_hash(recipe),
        rollout=rollout or 1,
        rollout_known=rollout is not None or not origin.is_one_of_many,
        status="answered" if answer.failure is None or has_answer(final) else "exhausted",
        stop_reason=None,
        turn_limit=None,
        photo=None,
        turns=turns,
        calls=conversation.calls,
        answer=answer,
        reward=reward,
        reward_extra=extra,
    )


def read_sample(document: Mapping[str, Any], index: int) -> Sample:
    """The sample as the file gives it; its photo counts as not seen."""
    data = member(document, "sample_data", dict)
    country = data.get("country")
    named = ("lat", "lon", "locatability_score", "country")
    return Sample(
        sample_index=index,
        lat=degrees(data, "lat", 90.0, "sample_data."),
        lon=degrees(data, "lon", 180.0, "sample_data."),
        locatability_score=number(data.get("locatability_score")),
        country=None if country is None else str(country).strip() or None,
        columns={
            name: value
            for name, value in data.items()
            if name not in named and not (name == "image" and _may_hold_pixels(value))
        },
        photo=None,
        exclusion="not_seen",
    )


def _may_hold_pixels(value: Any) -> bool:
    return isinstance(value, dict | list) or (isinstance(value, str) and len(value) > _LONG_TEXT)


def read_reward(document: Mapping[str, Any]) -> tuple[Reward | None, dict[str, Any]]:
    """The reward in a file, None without one, and further numbers that stand beside it.

    Where the file says that no answer could be read, distance and score are None; but a score
    other than 0 is its own, such as that of right words, and stands beside 0 points. So a parsed
    answer without a distance has no 0 points. A distance that no two places have is None.
    """
    members = document.get("reward_score")
    if number(members) is not None:
        members = {"score": members}
    else:
        members = optional(document, "reward_score", dict)
    if not members:
        return None, {}
    extra = {
        name: value
        for name, value in members.items()
        if name not in _REWARD_MEMBERS and not name.startswith("acc@") and number(value) is not None
    }
    score = number(members.get("score"))
    distance = _within(number(members.get("distance@km")), _MOST_KM)
    stated_points = _within(number(members.get("geoguessr@point")), _MOST_POINTS)
    points = None if stated_points is None else round(stated_points)
    if as_switch(members.get("parse_success")) is False:
        # Beside a distance, the score may be one of coordinates that were taken back.
        is_own = score and not points and distance in (None, UNPARSED_KM)
        return (Reward(None, score, 0) if is_own else Reward(None, None, None)), extra
    return Reward(distance, score, None if distance is None and points == 0 else points), extra


def _within(value: float | None, most: float) -> float | None:
    return value if value is not None and 0 <= value <= most else None


def read_turn_numbers(entries: Sequence[Any], where: str) -> int:
    """Check that a list's entries are objects, and their turns count on from 1, or from 0.

    Entries of which none has a number are in their order. Returns the first number.
    Raises BadFile.
    """
    if not entries:
        raise BadFile("malformed", f"{where} is empty: there is no response")
    for position, entry in enumerate(entries):
        if not isinstance(entry, dict):
            raise BadFile("malformed", f"{where}[{position}] is no object")
    if all(entry.get("turn") is None for entry in entries):
        return 1
    first = whole_number(entries[0], "turn", f"{where}[0].")
    for position, entry in enumerate(entries):
        turn = whole_number(entry, "turn", f"{where}[{position}].")
        expected = position + (0 if first == 0 else 1)
        if turn != expected:
            raise BadFile("malformed", f"{where}[{position}].turn is {turn} and not {expected}")
    return first


# --- the two forms ------------------------------------------------------------------------------


def _history(document: Mapping[str, Any], origin: Origin) -> _Conversation:
    where = "conversation_history"
    entries = member(document, where, list)
    first = read_turn_numbers(entries, where)
    lists = own_part(message_lists([entry.get("messages") or [] for entry in entries], where))
    metadata = optional(document, "metadata", dict) or {}
    # A file of geostore's that did not prove itself names its recipe; keep the claim as one.
    claimed = metadata.get("recipe")
    recipe = ImportedRecipe(
        model=_model(document, origin),
        label=origin.label,
        system_prompt=_system_prompt(lists),
        tools=None,
        settings={"claimed_recipe": claimed} if isinstance(claimed, str) else {},
    )
    calls = []
    for position, call in enumerate(_call_entries(document, "tool_calls", entries, "response")):
        place = f"tool_calls[{position}]."
        if not isinstance(call, dict):
            raise BadFile("malformed", f"{place[:-1]} is no object")
        written = member(call, "tool_call", dict, place)
        calls.append((call, written.get("name"), written.get("arguments"), place))
    return _Conversation(
        variant="history",
        recipe=recipe,
        entries=tuple(entries),
        response="response",
        where=where,
        messages=lists,
        calls=_calls(calls, len(entries), first),
    )


def _log(document: Mapping[str, Any], origin: Origin) -> _Conversation:
    where = "conversation_log"
    entries = member(document, where, list)
    first = read_turn_numbers(entries, where)
    prompt = member(document, "initial_prompt", dict)
    opening = [
        {"role": role, "content": prompt[role]}
        for role in ("system", "user")
        if prompt.get(role) not in (None, "")
    ]
    lists = message_lists([opening, *([] for _ in entries[1:])], "initial_prompt")
    tools = prompt.get("tools")
    are_schemas = isinstance(tools, list) and all(isinstance(tool, dict) for tool in tools)
    settings = {
        name: prompt[name] for name in ("tools_mode", "tools") if prompt.get(name) is not None
    }
    if are_schemas:
        settings.pop("tools", None)
    system = prompt.get("system")
    recipe = ImportedRecipe(
        model=_model(document, origin),
        label=origin.label,
        system_prompt=system if isinstance(system, str) and system else None,
        tools=tuple(tools) if are_schemas and tools is not None else None,
        settings=settings,
    )
    calls = []
    logged = _call_entries(document, "tool_calls_log", entries, "assistant_response")
    for position, call in enumerate(logged):
        place = f"tool_calls_log[{position}]."
        if not isinstance(call, dict):
            raise BadFile("malformed", f"{place[:-1]} is no object")
        calls.append((call, call.get("tool_name"), call.get("tool_arguments"), place))
    return _Conversation(
        variant="log",
        recipe=recipe,
        entries=tuple(entries),
        response="assistant_response",
        where=where,
        messages=lists,
        calls=_calls(calls, len(entries), first),
    )


def _with_tools(conversation: _Conversation, tools: bool | None) -> ImportedRecipe:
    """The recipe with what the user says of its tools, where the file does not say it."""
    recipe = conversation.recipe
    if tools is None or recipe.tools is not None or recipe.says_tools:
        return recipe
    if tools:
        return replace(recipe, settings={**recipe.settings, "with_tools": True})
    if conversation.calls:
        raise BadFile(
            "has_calls",
            f"it holds a call in turn {conversation.calls[0].turn}, and --no-tools says that no "
            "tool was offered; import such files from a folder of their own, without --no-tools",
        )
    return replace(recipe, tools=())


def _model(document: Mapping[str, Any], origin: Origin) -> str | None:
    metadata = optional(document, "metadata", dict) or {}
    for holder in (metadata, document):
        if isinstance(holder.get("model"), str) and holder["model"]:
            return str(holder["model"])
    return origin.model


def _system_prompt(lists: Sequence[list[dict[str, Any]]]) -> str | None:
    for messages in lists:
        if messages and messages[0].get("role") == "system":
            content = messages[0].get("content")
            return content if isinstance(content, str) else None
    return None


def _call_entries(
    document: Mapping[str, Any], name: str, entries: Sequence[Mapping[str, Any]], response: str
) -> list[Any]:
    """The list of calls; a file whose teacher called nothing may leave it out. Raises BadFile."""
    if document.get(name) is not None:
        return member(document, name, list)
    for entry in entries[:-1]:  # a call of the last turn was never run
        if isinstance(entry.get(response), str) and _CALL.search(entry[response]):
            raise BadFile(
                "malformed",
                f"{name} is {'null' if name in document else 'missing'}, and a response holds a "
                "call",
            )
    return []


def _turns(conversation: _Conversation, final: str | None) -> tuple[Turn, ...]:
    """The turns; final: the final response, for a last turn that leaves out its own."""
    turns: list[Turn] = []
    for entry, messages in zip(conversation.entries, conversation.messages, strict=True):
        place = f"{conversation.where}[{len(turns)}]."
        is_last = len(turns) + 1 == len(conversation.entries)
        if is_last and final is not None and entry.get(conversation.response) is None:
            response = final
        else:
            response = member(entry, conversation.response, str, place)
        reasoning, source = optional(entry, "reasoning", str, place), None
        if reasoning is None:
            response, reasoning, source = split_reasoning(response)
        usage = optional(entry, "usage", dict, place) or {}
        counts: dict[str, Any] = {
            name: optional_whole_number(usage, name, f"{place}usage.")
            for name in ("prompt_tokens", "completion_tokens", "total_tokens")
        }
        turn = Turn(
            turn=len(turns) + 1,
            response=response,
            reasoning=reasoning,
            reasoning_source=source,
            native_calls=None,
            finish_reason=None,
            turn_limit=None,
            request_sha256=None,
            **counts,
        )
        before = turns[-1] if turns else None
        turns.append(replace(turn, messages=stored_messages(messages, conversation.recipe, before)))
    return tuple(turns)


def _calls(
    entries: Sequence[tuple[Mapping[str, Any], Any, Any, str]], turns: int, first: int
) -> tuple[ToolCall, ...]:
    """Calls in the order of turns.

    entries: (entry, name, arguments, place for messages). first: the number of the
    first turn, 0 or 1.
    """
    calls = []
    numbers: Counter[int] = Counter()
    for entry, name, arguments, place in entries:
        stated = whole_number(entry, "turn", place)
        turn = stated + 1 - first
        if not 1 <= turn <= turns:
            there_are = f"there are {turns} turns" if turns > 1 else "there is one turn"
            raise BadFile("malformed", f"{place}turn is {stated}, and {there_are}")
        success = switch(entry, "success", place)
        if name is not None and not isinstance(name, str):
            raise BadFile("malformed", f"{place}name is no text")
        calls.append(
            ToolCall(
                turn=turn,
                call_index=numbers[turn],
                name=name or "",
                raw_arguments=_raw(arguments),
                arguments=None,
                source_index=None,
                box=None,
                angle=None,
                success=success,
                error_kind=None if success else UNKNOWN_ERROR,
                flags=(),
                observation=None,
                image=None,
                image_index=None,
            )
        )
        numbers[turn] += 1
    return tuple(sorted(calls, key=lambda call: (call.turn, call.call_index)))


def _raw(arguments: Any) -> str:
    return arguments if isinstance(arguments, str) else orjson.dumps(arguments).decode()


def _check_final(document: Mapping[str, Any], last: Turn) -> None:
    """Raise BadFile where the final response is not the last turn's.

    Then nobody knows which of the two texts holds the answer. Either may lack the
    teacher's reasoning.
    """
    final = (optional(document, "final_response", str) or "").strip()
    response = last.response.strip()
    without_reasoning = split_reasoning(final)[0].strip()
    if final and final not in response and (not response or without_reasoning != response):
        raise BadFile("malformed", "final_response is not the response of the last turn")
