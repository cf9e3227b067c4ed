"""Format ``chat``: OpenAI's messages as JSONL, in a reader's dialect (`trainers.dialects`).

Images are data URLs in user messages alone: a result's text is the message of the role
``tool``, and its image follows in a user message, as the teacher had it. A row over a limit
of its reader is left out and named.
"""

from __future__ import annotations

from typing import Any

import orjson

from geostore.conversation.messages import data_url
from geostore.dataset.saved import card_of_files
from geostore.errors import ExportError
from geostore.export.files.folder import ExportFolder
from geostore.export.files.rows import FileLimits, json_lines
from geostore.export.images import ExportedImage
from geostore.export.options import FormatRules
from geostore.export.stream import ExportStream
from geostore.export.student.dialogue import Dialogue, dialogues
from geostore.export.trainers.chat_messages import chat_messages
from geostore.export.trainers.dialects import DIALECTS, Dialect
from geostore.text.phrases import format_number_of

RULES = FormatRules(
    ("embed",),
    frozenset({"reasoning", "dialect", "mask_turns", "shard_size"}),
    "the reader of chat",
)


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
            lines.write(
                chat_row(dialogue, dialect),
                dialogue.exported.split,
                dialogue.exported.trace,
                images=len(dialogue.images),
            )
            traces.count_row(dialogue)
            count += 1
    traces.notes += [
        f"{name} has {format_number_of(rows, 'row')}, and {dialect.reader} takes no file of fewer "
        f"than {dialect.least_rows}"
        for name, rows in lines.counts_by_file.items()
        if rows < dialect.least_rows
    ]
    # A loader of whole folders would take the manifest for rows as well.
    traces.card = card_of_files(lines.by_split)
    return count


def chat_row(dialogue: Dialogue, dialect: Dialect) -> dict[str, Any]:
    """A trace as a row of a dialect. Raises ExportError where an image would be lost."""
    row: dict[str, Any] = {"messages": chat_messages(dialogue, dialect, _data_url_part)}
    if dialogue.tools and dialect.calls == "native":
        tools = list(dialogue.tools)
        row["tools"] = orjson.dumps(tools).decode() if dialect.tools == "text" else tools
        if dialect.parallel_tool_calls:
            row["parallel_tool_calls"] = True
    return row


def _data_url_part(image: ExportedImage) -> dict[str, Any]:
    assert image.sent is not None  # the format's images are embedded
    return {"type": "image_url", "image_url": {"url": data_url(image.sent).decode()}}


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
    training, validation = traces.stems("traces")
    end = ".jsonl" if traces.options.shard_size is None else "-00000.jsonl"
    text = dialect.how_to_load.replace("traces.jsonl", f"{training}{end}") + "\n"
    if validation is not None:
        text += f"\n`{validation}{end}` is to validate on.\n"
    if traces.options.shard_size is not None:
        text += (
            f"\nThe rows stand in shards: `{training}-00001.jsonl` and so on go with the first.\n"
        )
    if lines:
        text += f"\n{dialect.reader} takes ({dialect.source}):\n\n" + "\n".join(lines) + "\n"
    return text
