"""Makes rows of the files that the older scripts wrote, in both their forms.

``history``: ``conversation_history`` and ``tool_calls``. ``log``, the later one:
``initial_prompt``, ``conversation_log`` and ``tool_calls_log``. What a file does
not say (settings, requests, where a box lies in pixels) is None: nothing is
filled in from what a script of that kind would have done.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import PurePath
from typing import Any

import orjson

from geostore.answers import has_answer, parse_answer
from geostore.conversation.messages import split_reasoning
from geostore.conversation.recipe import recipe_hash
from geostore.conversation.sent import stored_messages
from geostore.importing.documents import (
    BadFile,
    degrees,
    member,
    number,
    optional,
    optional_whole_number,
    whole_number,
)
from geostore.importing.pixels import message_lists, own_part
from geostore.records import DatasetFacts, ImportedRecipe, Reward, Sample, ToolCall, Turn
from geostore.store.imports import ImportedTrace, Variant

UNKNOWN_ERROR = "unknown"
"""The error kind of a call that failed, where the file does not say why."""

_ROLLOUT = re.compile(r"_r([1-9][0-9]{0,8})\Z")
_LONG_TEXT = 4096
_SPLITS = frozenset({"train", "test", "validation", "val", "valid", "dev"})
_REWARD_MEMBERS = frozenset({"score", "distance@km", "geoguessr@point", "parse_success"})


@dataclass(frozen=True, slots=True)
class Batch:
    """What is known of a file from outside: where it lies, and what its importer says.

    label: of the recipe, to keep batches apart. model: that the file does not name.
    """

    stem: str
    label: str | None
    model: str | None


@dataclass(frozen=True, slots=True)
class _Talk:
    """A conversation in one form for both variants; messages per turn, [] where unknown."""

    variant: Variant
    recipe: ImportedRecipe
    entries: tuple[Mapping[str, Any], ...]
    response: str  # the member that holds it
    where: str
    messages: list[list[dict[str, Any]]]
    calls: tuple[ToolCall, ...]


def is_trace(document: Mapping[str, Any]) -> bool:
    """Whether a JSON object looks like a trace file of any form."""
    return "conversation_history" in document or "conversation_log" in document


def read_older(document: Mapping[str, Any], batch: Batch) -> ImportedTrace:
    """The rows that a file makes, its dataset known by its path alone.

    Raises BadFile, which names the member that is missing or wrong.
    """
    talk = (
        _history(document, batch) if "conversation_history" in document else _log(document, batch)
    )
    turns = _turns(talk)
    final = turns[-1].response
    _check_final(document, turns[-1])
    answer = parse_answer(final)
    reward, extra = read_reward(document)
    index = whole_number(document, "sample_index")
    return ImportedTrace(
        variant=talk.variant,
        stated_index=index,
        dataset=unseen_dataset(member(document, "dataset_path", str)),
        dataset_seen=False,
        sample=read_sample(document, index),
        recipe=talk.recipe,
        recipe_sha256=recipe_hash(talk.recipe),
        rollout=rollout_of(batch.stem),
        status="answered" if answer.failure is None or has_answer(final) else "exhausted",
        stop_reason=None,
        turn_limit=None,
        photo=None,
        turns=turns,
        calls=talk.calls,
        answer=answer,
        reward=reward,
        reward_extra=extra,
    )


def rollout_of(stem: str) -> int:
    """The rollout that a file's name says, 1 where it says none."""
    found = _ROLLOUT.search(stem)
    return int(found[1]) if found else 1


def unseen_dataset(path: str) -> DatasetFacts:
    """A dataset of which only the path is known."""
    if not path:
        raise BadFile("malformed", "dataset_path is empty")
    last = PurePath(path).parts[-2:]
    # A split is known by its dataset, as it is where a dataset is opened.
    name = ".".join(last) if last[-1:] and last[-1] in _SPLITS else "".join(last[-1:])
    name = re.sub(r"[^A-Za-z0-9_.-]+", "_", name).strip("._") or "dataset"
    return DatasetFacts(path, name, None, None, None, (), {})


def read_sample(document: Mapping[str, Any], index: int) -> Sample:
    """The sample as the file has it, its photo not seen."""
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
    """The reward that a file carries, and its further numbers; no distance without an answer."""
    found = optional(document, "reward_score", dict)
    if not found:
        return None, {}
    extra = {
        name: value
        for name, value in found.items()
        if name not in _REWARD_MEMBERS and not name.startswith("acc@") and number(value) is not None
    }
    if found.get("parse_success") is False:
        return Reward(None, None, None), extra
    points = number(found.get("geoguessr@point"))
    return Reward(
        distance_km=number(found.get("distance@km")),
        score=number(found.get("score")),
        geoguessr_points=None if points is None else round(points),
    ), extra


def read_turn_numbers(entries: Sequence[Any], where: str) -> None:
    """Check that a list's entries are objects, and their turns 1, 2, 3 ... Raises BadFile."""
    if not entries:
        raise BadFile("malformed", f"{where} is empty: there is no response")
    for position, entry in enumerate(entries):
        if not isinstance(entry, dict):
            raise BadFile("malformed", f"{where}[{position}] is no object")
        turn = whole_number(entry, "turn", f"{where}[{position}].")
        if turn != position + 1:
            raise BadFile("malformed", f"{where}[{position}].turn is {turn} and not {position + 1}")


# --- the two forms ------------------------------------------------------------------------------


def _history(document: Mapping[str, Any], batch: Batch) -> _Talk:
    where = "conversation_history"
    entries = member(document, where, list)
    read_turn_numbers(entries, where)
    lists = own_part(message_lists([entry.get("messages") or [] for entry in entries], where))
    metadata = optional(document, "metadata", dict) or {}
    # An export of geostore that could not prove itself still says which recipe it was.
    claimed = metadata.get("recipe")
    recipe = ImportedRecipe(
        model=_model(document, batch),
        label=batch.label,
        system_prompt=_system_prompt(lists),
        tools=None,
        settings={"claimed_recipe": claimed} if isinstance(claimed, str) else {},
    )
    calls = []
    for position, call in enumerate(member(document, "tool_calls", list)):
        place = f"tool_calls[{position}]."
        if not isinstance(call, dict):
            raise BadFile("malformed", f"{place[:-1]} is no object")
        written = member(call, "tool_call", dict, place)
        calls.append((call, written.get("name"), written.get("arguments"), place))
    return _Talk(
        variant="history",
        recipe=recipe,
        entries=tuple(entries),
        response="response",
        where=where,
        messages=lists,
        calls=_calls(calls, len(entries)),
    )


def _log(document: Mapping[str, Any], batch: Batch) -> _Talk:
    where = "conversation_log"
    entries = member(document, where, list)
    read_turn_numbers(entries, where)
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
        model=_model(document, batch),
        label=batch.label,
        system_prompt=system if isinstance(system, str) and system else None,
        tools=tuple(tools) if are_schemas and tools is not None else None,
        settings=settings,
    )
    calls = []
    for position, call in enumerate(member(document, "tool_calls_log", list)):
        place = f"tool_calls_log[{position}]."
        if not isinstance(call, dict):
            raise BadFile("malformed", f"{place[:-1]} is no object")
        calls.append((call, call.get("tool_name"), call.get("tool_arguments"), place))
    return _Talk(
        variant="log",
        recipe=recipe,
        entries=tuple(entries),
        response="assistant_response",
        where=where,
        messages=lists,
        calls=_calls(calls, len(entries)),
    )


def _model(document: Mapping[str, Any], batch: Batch) -> str | None:
    metadata = optional(document, "metadata", dict) or {}
    for holder in (metadata, document):
        if isinstance(holder.get("model"), str) and holder["model"]:
            return str(holder["model"])
    return batch.model


def _system_prompt(lists: Sequence[list[dict[str, Any]]]) -> str | None:
    for messages in lists:
        if messages and messages[0].get("role") == "system":
            content = messages[0].get("content")
            return content if isinstance(content, str) else None
    return None


def _turns(talk: _Talk) -> tuple[Turn, ...]:
    turns: list[Turn] = []
    for entry, messages in zip(talk.entries, talk.messages, strict=True):
        place = f"{talk.where}[{len(turns)}]."
        said = member(entry, talk.response, str, place)
        reasoning, source = optional(entry, "reasoning", str, place), None
        if reasoning is None:
            said, reasoning, source = split_reasoning(said)
        usage = optional(entry, "usage", dict, place) or {}
        counts: dict[str, Any] = {
            name: optional_whole_number(usage, name, f"{place}usage.")
            for name in ("prompt_tokens", "completion_tokens", "total_tokens")
        }
        turn = Turn(
            turn=len(turns) + 1,
            response=said,
            reasoning=reasoning,
            reasoning_source=source,
            native_calls=None,
            finish_reason=None,
            turn_limit=None,
            request_sha256=None,
            **counts,
        )
        before = turns[-1] if turns else None
        turns.append(replace(turn, messages=stored_messages(messages, talk.recipe, before)))
    return tuple(turns)


def _calls(
    found: Sequence[tuple[Mapping[str, Any], Any, Any, str]], turns: int
) -> tuple[ToolCall, ...]:
    """From (entry, name, arguments, place), in the order of turns."""
    calls = []
    numbers: Counter[int] = Counter()
    for entry, name, arguments, place in found:
        turn = whole_number(entry, "turn", place)
        if not 1 <= turn <= turns:
            raise BadFile("malformed", f"{place}turn is {turn}, and there are {turns} turns")
        success = member(entry, "success", bool, place)
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
    """The final response has to be the last turn's; thoughts may be left out of either.

    Otherwise it is not known which text the answer is to be read from.
    """
    final = (optional(document, "final_response", str) or "").strip()
    said = last.response.strip()
    without_thought = split_reasoning(final)[0].strip()
    if final and final not in said and (not said or without_thought != said):
        raise BadFile("malformed", "final_response is not the response of the last turn")
