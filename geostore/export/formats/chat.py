"""Format ``chat``: OpenAI's messages as JSONL, in the dialect of one reader (`export.dialects`).

Images are data URLs in user messages alone: a result's text is the message of the role
``tool``, and its image follows in a user message, as the teacher had it. A row over a limit
of its reader is left out and named.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import orjson

from geostore.conversation.messages import data_url
from geostore.errors import ExportError
from geostore.export.dialects import DIALECTS, Dialect
from geostore.export.dialogue import Call, Dialogue, Part, Question, Reply, Results, dialogues
from geostore.export.folder import ExportFolder
from geostore.export.options import FormatRules
from geostore.export.placeholders import escape_placeholders
from geostore.export.rows import FileLimits, json_lines
from geostore.export.stream import ExportStream

RULES = FormatRules(("embed",), frozenset({"reasoning", "dialect", "mask_turns", "shard_size"}))

Message = dict[str, Any]


def write_chat(traces: ExportStream, folder: ExportFolder) -> int:
    """Write a line per trace that its reader's limits allow; return how many lines.

    Raises ExportError where turns are to be masked and the reader cannot be told.
    """
    dialect = DIALECTS[traces.options.dialect or "openai"]
    if traces.options.mask_turns and dialect.weight is None:
        with_masks = [name for name, other in DIALECTS.items() if other.weight is not None]
        raise ExportError(
            f"{dialect.reader} learns every reply of a row, so the dialect takes no --mask-turns; "
            f"leave such traces out, or choose one of {', '.join(with_masks)}"
        )
    count = 0
    limits = FileLimits(dialect.most_rows, dialect.most_file_bytes)
    with json_lines(folder, "traces", traces.options, limits) as lines:
        for dialogue in dialogues(traces):
            if why := _over_limit(dialogue, dialect):
                traces.unwritten.add(dialogue.exported.trace.name, "limits", why)
                continue
            lines.write(chat_row(dialogue, dialect), dialogue.exported.split)
            count += 1
    return count


def chat_row(dialogue: Dialogue, dialect: Dialect) -> dict[str, Any]:
    """A trace as a row of a dialect. Raises ExportError where an image would be lost."""
    messages = list(_messages(dialogue, dialect))
    row: dict[str, Any] = {"messages": messages}
    if dialogue.tools and dialect.calls == "native":
        tools = list(dialogue.tools)
        row["tools"] = orjson.dumps(tools).decode() if dialect.tools == "text" else tools
        if dialect.parallel_tool_calls:
            row["parallel_tool_calls"] = True
    placed = sum(
        part["type"] == "image_url"
        for message in messages
        if isinstance(message["content"], list)
        for part in message["content"]
    )
    if placed != len(dialogue.images):
        raise ExportError(
            f"{dialogue.exported.trace.name}: {placed} places for {len(dialogue.images)} images"
        )
    return row


def _over_limit(dialogue: Dialogue, dialect: Dialect) -> str | None:
    """Which limit of its reader a trace is over, in words; None: none."""
    images = dialogue.images
    if dialect.most_images is not None and len(images) > dialect.most_images:
        return f"{len(images)} images, and {dialect.reader} takes {dialect.most_images} in a row"
    for image in images:
        assert image.sent is not None  # the format's images are embedded
        if image.sent.mime not in dialect.image_types:
            return (
                f"image {image.number} is {image.sent.mime}, which {dialect.reader} does not read"
            )
        if dialect.most_image_bytes is not None and len(image.sent.data) > dialect.most_image_bytes:
            return (
                f"image {image.number} has {len(image.sent.data):,} bytes, and {dialect.reader} "
                f"takes {dialect.most_image_bytes:,}"
            )
    return None


def _messages(dialogue: Dialogue, dialect: Dialect) -> Iterator[Message]:
    native = dialect.calls == "native"
    system = dialogue.system if native else dialogue.system_with_tools
    if system is not None:
        yield _message("system", (system,), dialect)
    steps = dialogue.steps
    calls_are_native = False
    for number, step in enumerate(steps):
        if isinstance(step, Question):
            yield _message("user", step.parts, dialect)
        elif isinstance(step, Reply):
            after = steps[number + 1] if number + 1 < len(steps) else None
            # A call without its result beside it would be refused: then it stays in the words.
            answered = after is None or isinstance(after, Results)
            calls_are_native = native and bool(step.calls) and step.is_exact and answered
            yield _assistant(step, dialect, native=calls_are_native)
        elif calls_are_native:
            yield from _tool_messages(step, dialect)
        else:
            yield _message("user", step.parts, dialect)


def _assistant(reply: Reply, dialect: Dialect, *, native: bool) -> Message:
    words = f"{reply.thought}{reply.prose}" if native else reply.text
    if native and dialect.newline_before_calls and words:
        words += "\n"
    message = _message("assistant", (words,), dialect)
    if native:
        message["tool_calls"] = [
            {
                "id": call.id,
                "type": "function",
                "function": {"name": call.name, "arguments": _arguments(call)},
            }
            for call in reply.calls
        ]
    if dialect.weight == "weight":
        message["weight"] = int(reply.learn)
    elif dialect.weight == "loss":
        message["loss"] = reply.learn
    return message


def _tool_messages(results: Results, dialect: Dialect) -> Iterator[Message]:
    shown: list[Part] = []
    for result in results.results:
        texts = [part for part in result.content if isinstance(part, str)]
        tool = _message("tool", ("\n".join(texts),), dialect)
        yield {"role": "tool", "tool_call_id": result.call.id, **tool}
        for part in result.content:
            if not isinstance(part, str):
                shown += (f"Image {part.number}:", part)
    if shown:
        yield _message("user", shown, dialect)


def _message(role: str, parts: Sequence[Part], dialect: Dialect) -> Message:
    """A message of texts and images; one text where it holds nothing else, if its reader can."""
    if not dialect.every_content_a_list and all(isinstance(part, str) for part in parts):
        return {"role": role, "content": escape_placeholders("".join(map(str, parts)))}
    content: list[dict[str, Any]] = []
    for part in parts:
        if isinstance(part, str):
            content.append({"type": "text", "text": escape_placeholders(part)})
            continue
        assert part.sent is not None  # the format's images are embedded
        content.append({"type": "image_url", "image_url": {"url": data_url(part.sent).decode()}})
    return {"role": role, "content": content}


def _arguments(call: Call) -> str:
    """The arguments as JSON text, as the teacher wrote them where they hold no placeholder."""
    if escape_placeholders(call.arguments) == call.arguments:
        return call.arguments
    return orjson.dumps(_escaped(call.values)).decode()


def _escaped(value: Any) -> Any:
    if isinstance(value, str):
        return escape_placeholders(value)
    if isinstance(value, list):
        return [_escaped(item) for item in value]
    if isinstance(value, dict):
        return {escape_placeholders(name): _escaped(item) for name, item in value.items()}
    return value


def guide(traces: ExportStream) -> str:
    """How the dialect's reader loads it, and its limits."""
    dialect = DIALECTS[traces.options.dialect or "openai"]
    limits = [
        (dialect.most_images, "images in a row"),
        (dialect.most_image_bytes, "bytes in an image"),
        (dialect.most_rows, "rows in a file"),
        (dialect.most_file_bytes, "bytes in a file"),
    ]
    lines = [f"- at most {number:,} {what}" for number, what in limits if number is not None]
    if dialect.least_rows > 1:
        lines.append(f"- at least {dialect.least_rows} rows in a file")
    text = f"{dialect.how_to_load}\n"
    if lines:
        text += f"\n{dialect.reader} takes ({dialect.source}):\n\n" + "\n".join(lines) + "\n"
    return text
