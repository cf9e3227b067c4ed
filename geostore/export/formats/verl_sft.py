"""Format ``verl-sft``: conversations for verl's MultiTurnSFTDataset, as Parquet.

Calls are `tool_calls` of a message and results `tool` messages, so that the student's own
template writes both. The tools stand in the system text: in a column, Parquet's one struct
type would pad their schemas with nulls that reach the prompt.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from geostore.export.files.folder import ExportFolder
from geostore.export.files.rows import parquet_rows
from geostore.export.options import FormatRules
from geostore.export.stream import ExportStream
from geostore.export.student.dialogue import (
    Dialogue,
    Question,
    Reply,
    Results,
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

_BETWEEN_RESULTS = "\n</tool_response>\n<tool_response>\n"
"""Between the results of one message, as a template writes it between messages: verl reads each
message by itself, and a second tool message in a row would get a turn of its own."""


def write_verl_sft(traces: ExportStream, folder: ExportFolder) -> int:
    """Write a row per trace and the settings; return how many rows."""
    count, pixels = 0, pinned_pixels(traces)
    schema = sft_schema(with_calls=True, pinned=pixels is not None)
    with parquet_rows(folder, "traces", schema, traces.options) as rows:
        for dialogue in dialogues(traces):
            messages = [*system_messages(dialogue), *_messages(dialogue)]
            whole = [{"tool_calls": None, **message} for message in messages]
            rows.write(
                checked_row(dialogue, whole, pixels),
                dialogue.exported.split,
                dialogue.exported.trace,
            )
            traces.count_row(dialogue)
            count += 1
    write_sft_script(folder, traces, rows)
    return count


def _messages(dialogue: Dialogue) -> Iterator[Message]:
    in_calls = True
    for step in dialogue.steps:
        if isinstance(step, Reply):
            in_calls = step.fits_calls
            yield _reply(step)
        elif isinstance(step, Question) or not in_calls:
            yield {"role": "user", "content": with_placeholders(step.parts)}
        else:
            yield {"role": "tool", "content": _results(step)}


def _reply(reply: Reply) -> Message:
    if not reply.fits_calls or not reply.calls:
        return {"role": "assistant", "content": escape_placeholders(reply.text)}
    words = (reply.thought + (reply.prose or "")).rstrip()
    calls: list[dict[str, Any]] = [
        {"type": "function", "function": {"name": call.name, "arguments": call.arguments}}
        for call in reply.calls
    ]
    return {"role": "assistant", "content": escape_placeholders(words), "tool_calls": calls}


def _results(step: Results) -> str:
    return _BETWEEN_RESULTS.join(with_placeholders(result.on_lines) for result in step.results)


def guide(_traces: ExportStream) -> str:
    """How verl loads it."""
    return f"""\
A row is a conversation whose calls are `tool_calls`: the student's chat template writes them, so
it must know them, as that of Qwen3-VL Instruct does. The template of Qwen2.5-VL drops calls
without a word; for it, and for Qwen3-VL Thinking, export `--format verl-sft-text`.

{sft_guide()}"""
