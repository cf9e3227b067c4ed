"""Format ``verl-sft-text``: conversations for verl's MultiTurnSFTDataset, all of it as text.

The teacher's own words stand in the assistant's messages, calls among them, and results come as
a user's messages. So it fits a student whose chat template knows no calls.
"""

from __future__ import annotations

from geostore.export.files.folder import ExportFolder
from geostore.export.files.rows import parquet_rows
from geostore.export.options import FormatRules
from geostore.export.stream import ExportStream
from geostore.export.student.dialogue import (
    Dialogue,
    Reply,
    dialogues,
    with_placeholders,
)
from geostore.export.student.placeholders import escape_placeholders
from geostore.export.trainers.verl_rows import (
    Message,
    checked_row,
    pinned_pixels,
    sft_guide,
    sft_schema,
    system_messages,
)
from geostore.export.trainers.verl_scripts import write_sft_script

RULES = FormatRules(("embed",), frozenset({"reasoning", "shard_size"}), "verl")


def write_verl_sft_text(traces: ExportStream, folder: ExportFolder) -> int:
    """Write a row per trace and the settings; return how many rows."""
    count, pixels = 0, pinned_pixels(traces)
    schema = sft_schema(with_calls=False, pinned=pixels is not None)
    with parquet_rows(folder, "traces", schema, traces.options) as rows:
        for dialogue in dialogues(traces):
            rows.write(
                checked_row(dialogue, _messages(dialogue), pixels),
                dialogue.exported.split,
                dialogue.exported.trace,
            )
            traces.count_row(dialogue)
            count += 1
    write_sft_script(folder, traces, rows)
    return count


def _messages(dialogue: Dialogue) -> list[Message]:
    messages = system_messages(dialogue)
    for step in dialogue.steps:
        if isinstance(step, Reply):
            messages.append({"role": "assistant", "content": escape_placeholders(step.text)})
        else:
            messages.append({"role": "user", "content": with_placeholders(step.parts)})
    return messages


def guide(_traces: ExportStream) -> str:
    """How verl loads it."""
    return f"""\
A row is a conversation as text: the teacher's own words with its calls in `<tool_call>` tags, and
results in `<tool_response>` tags as messages of the user. It fits any student that takes images.

{sft_guide()}"""
