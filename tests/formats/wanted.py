"""What has to be trained on: the rows of a store, read from its traces and not from an export."""

from __future__ import annotations

import io
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import orjson
from PIL import Image

from geostore.conversation.messages import Message, around_thought
from geostore.export import ExportedTrace, ExportOptions, ExportStream, Filter, open_snapshot
from geostore.export.files.folder import partial_folder
from geostore.export.student.masks import checked_masks
from geostore.export.student.placeholders import escape_placeholders
from geostore.records import Turn
from tests.formats.replay import is_played_alike

CALL = re.compile(r"<tool_call>\s*(.*?)\s*</tool_call>", re.DOTALL)
_THOUGHT = re.compile(r"^\s*<think>(.*?)</think>", re.DOTALL)
_LABEL = re.compile(r"Image \d+:")
"""Stands before an image in a request whose calls are native; no format has it."""


@dataclass(frozen=True)
class Reply:
    """A response of the teacher."""

    text: str
    """All of it, as the student is to write it where calls are text."""
    learn: bool = True
    """Whether it is to be under loss."""

    @property
    def thought(self) -> str:
        """Its reasoning; empty where there is none."""
        match = _THOUGHT.match(self.text)
        return "" if match is None else _one_line(match[1])

    @property
    def prose(self) -> str:
        """Its words without reasoning and calls, each space as one."""
        return _one_line(CALL.sub(" ", _THOUGHT.sub("", self.text)))

    @property
    def lines(self) -> list[str]:
        """The lines of these words, in order: calls may stand between them."""
        words = CALL.sub("\n", _THOUGHT.sub("", self.text))
        return [line.strip() for line in words.splitlines() if line.strip()]

    @property
    def calls(self) -> list[Any]:
        """Its calls, parsed; as text where that cannot be."""
        return [_parsed(match[1]) for match in CALL.finditer(_THOUGHT.sub("", self.text))]


@dataclass(frozen=True)
class Context:
    """What the student reads between two replies."""

    lines: tuple[str, ...]
    """The lines of text that have to stand in it, in order."""
    images: int
    """How many images it shows."""
    results: int = 0
    """How many results of calls it holds."""


@dataclass(frozen=True)
class Row:
    """A row that is trained on."""

    name: str
    """The trace's."""
    parts: tuple[Context | Reply, ...]
    """A context and a reply in turns."""
    images: tuple[Image.Image, ...]
    """Every image, in order."""
    tools: tuple[str, ...]
    """What has to stand in the prompt about each tool."""
    facts: Mapping[str, Any] = field(default_factory=dict)
    """``score``: the store's, 0 where it has none; ``tool_images``: the hash of each image of a
    tool, in order; ``is_as_taught``: that a rollout reads as the conversation does."""


def wanted_rows(store: Path, mask_turns: Sequence[str] = ()) -> list[Row]:
    """A row for each trace that an export holds, in its order, with reasoning kept.

    mask_turns: the option; such turns are no replies to learn.
    """
    options = ExportOptions(images="embed", mask_turns=checked_masks(mask_turns))
    with open_snapshot(store) as snapshot, partial_folder(store.parent / "none") as folder:
        return [_row(e) for e in ExportStream(snapshot, Filter(), folder, options=options)]


def row_of_each_turn(rows: Iterable[Row]) -> list[Row]:
    """A row for each turn to learn: what was before as its context, and one reply under loss."""
    return [turn for row in rows for turn in _turns(row)]


def better_first(rows: Iterable[Row]) -> list[Row]:
    """The rows of `training_store.fill_pairs_store`, of each photo the better rollout first."""
    ordered = list(rows)
    return [
        ordered[number + (place if number % 4 == 0 else 1 - place)]
        for number in range(0, len(ordered), 2)
        for place in (0, 1)
    ]


def until_last_learnt(rows: Iterable[Row]) -> list[Row]:
    """Each row without what stands behind the last reply that is learnt."""
    return [_until_last_learnt(row) for row in rows]


def played_alike(rows: Iterable[Row], *, only_objects: bool = False) -> list[Row]:
    """The rows that a trainer's loop plays as the teacher's traces were; see `is_played_alike`."""
    return [row for row in rows if _is_played_alike(row, only_objects)]


def _is_played_alike(row: Row, only_objects: bool) -> bool:
    replies = [escape_placeholders(part.text) for part in row.parts if isinstance(part, Reply)]
    lines = (line for part in row.parts if isinstance(part, Context) for line in part.lines)
    return is_played_alike(replies, lines, only_objects=only_objects)


def _until_last_learnt(row: Row) -> Row:
    learnt = [n for n, part in enumerate(row.parts) if isinstance(part, Reply) and part.learn]
    parts = row.parts[: learnt[-1] + 1]
    shown = sum(part.images for part in parts if isinstance(part, Context))
    return replace(row, parts=parts, images=row.images[:shown])


def parting_replies(rows: Iterable[Row]) -> list[Row]:
    """Of each pair two rows: the first reply in which they differ, and all that they share."""
    both = better_first(rows)
    return [
        _until(row, _first_difference(better, worse))
        for better, worse in zip(both[::2], both[1::2], strict=True)
        for row in (better, worse)
    ]


def last_replies(rows: Iterable[Row]) -> list[Row]:
    """Whole rows in which the last reply alone is learnt."""
    return [_until(row, len(row.parts) - 1) for row in rows]


def _first_difference(row: Row, other: Row) -> int:
    pairs = zip(row.parts, other.parts, strict=False)
    return next(
        number
        for number, (part, theirs) in enumerate(pairs)
        if isinstance(part, Reply) and part != theirs
    )


def _until(row: Row, number: int) -> Row:
    """A row up to a reply, which alone is learnt."""
    before = [
        replace(part, learn=False) if isinstance(part, Reply) else part
        for part in row.parts[:number]
    ]
    shown = sum(part.images for part in before if isinstance(part, Context))
    return replace(row, parts=(*before, row.parts[number]), images=row.images[:shown])


def _turns(row: Row) -> Iterator[Row]:
    for number, part in enumerate(row.parts):
        if isinstance(part, Reply) and part.learn:
            yield _until(row, number)


def _row(exported: ExportedTrace) -> Row:
    trace = exported.trace
    parts: list[Context | Reply] = []
    for added, turn in zip(exported.messages, trace.turns, strict=True):
        parts += [_context(added), Reply(_text(turn), turn.turn not in exported.masked)]
    images = []
    for image in exported.images:
        assert image.sent is not None
        images.append(Image.open(io.BytesIO(image.sent.data)).convert("RGB"))
    functions = [tool["function"] for tool in trace.recipe.tools or ()]
    tools = tuple(text for f in functions for text in (f["name"], f["description"]))
    facts = {
        "score": 0.0 if trace.reward is None else trace.reward.score or 0.0,
        "is_as_taught": True,
        "tool_images": [image.facts.sha256 for image in exported.images if image.call is not None],
    }
    return Row(trace.name, tuple(parts), tuple(images), tools, facts)


def _text(turn: Turn) -> str:
    thought = ""
    if turn.reasoning is not None:
        opener, closer = around_thought(turn) or ("<think>\n", "\n</think>\n\n")
        thought = f"{opener or '<think>'}{turn.reasoning}{closer}"
    calls = [call["function"] for call in orjson.loads(turn.native_calls or "[]")]
    written = [
        "<tool_call>\n"
        f'{{"name": {_json(call["name"])}, "arguments": {_object_or_text(call["arguments"])}}}'
        "\n</tool_call>"
        for call in calls
    ]
    words = [turn.response.rstrip()] if calls and turn.response.strip() else []
    return thought + ("\n".join([*words, *written]) if calls else turn.response)


def _context(messages: Iterable[Message]) -> Context:
    lines: list[str] = []
    images = results = 0
    for message in messages:
        value = orjson.loads(message.canonical)
        if value["role"] == "assistant":
            continue
        results += value["role"] == "tool"
        content = value["content"]
        for part in [{"text": content}] if isinstance(content, str) else content:
            if "text" not in part:
                images += 1
                continue
            # Where the tools stand in a system prompt and how is the template's.
            text = part["text"].partition("\n\n# Tools\n")[0]
            results += text.count("<tool_response>")
            lines += re.sub(r"</?tool_response>", "\n", text).splitlines()
    kept = (line for line in lines if line.strip() and not _LABEL.fullmatch(line))
    return Context(tuple(kept), images, results)


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _parsed(text: str) -> Any:
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        return _one_line(text)


def _json(value: Any) -> str:
    return orjson.dumps(value).decode()


def _object_or_text(arguments: str) -> str:
    return arguments if isinstance(_parsed(arguments), dict) else _json(arguments)
