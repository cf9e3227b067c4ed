"""Format ``sharegpt``: conversations for LLaMA-Factory, as JSONL with ``dataset_info.json``.

The calls stay text inside the teacher's own words, in ``gpt`` turns: as calls of its own
kind (``function_call``) the loader would write them anew, and stop at one with broken JSON.
"""

from __future__ import annotations

from typing import Any

from geostore.errors import ExportError
from geostore.export.dialogue import Dialogue, Reply, dialogues, with_placeholders
from geostore.export.folder import ExportFolder, pretty_json
from geostore.export.options import FormatRules
from geostore.export.placeholders import escape_placeholders
from geostore.export.rows import json_lines
from geostore.export.stream import ExportStream

RULES = FormatRules(("files",), frozenset({"reasoning"}), "LLaMA-Factory")


def write_sharegpt(traces: ExportStream, folder: ExportFolder) -> int:
    """Write a line per trace and ``dataset_info.json``; return how many lines."""
    count = 0
    with json_lines(folder, "traces", traces.options) as lines:
        for dialogue in dialogues(traces):
            lines.write(_row(dialogue), dialogue.exported.split)
            count += 1
    entries = {
        name.partition(".")[0]: {
            "file_name": name,
            "formatting": "sharegpt",
            "columns": {"messages": "conversations", "images": "images"},
        }
        for name in lines.names
    }
    folder.add("dataset_info.json", pretty_json(entries))
    return count


def _row(dialogue: Dialogue) -> dict[str, Any]:
    conversations = []
    if (system := dialogue.system_with_tools) is not None:
        conversations.append({"from": "system", "value": escape_placeholders(system)})
    for step in dialogue.steps:
        if isinstance(step, Reply):
            value = {"from": "gpt", "value": escape_placeholders(step.text)}
        else:
            # Results too: where calls are text, they came in a user's turn, in tags of their own.
            # The templates would write tags of theirs around an `observation`.
            value = {"from": "human", "value": with_placeholders(step.parts)}
        conversations.append(value)
    images = dialogue.images
    placed = sum(entry["value"].count("<image>") for entry in conversations)
    if placed != len(images):
        raise ExportError(
            f"{dialogue.exported.trace.name}: {placed} places for {len(images)} images"
        )
    return {
        "conversations": conversations,
        "images": [image.path for image in images],
        "trace": dialogue.exported.trace.name,
    }


def guide(traces: ExportStream) -> str:
    """How LLaMA-Factory loads it."""
    return "Set `dataset_dir` to this folder.\n"
