"""Format ``sharegpt``: conversations for LLaMA-Factory, as JSONL with ``dataset_info.json``.

The calls stay text inside the teacher's own words, in ``gpt`` turns: as calls of its own
kind (``function_call``) the loader would write them anew, and stop at one with broken JSON.
Where images are embedded, the rows are Parquet, because JSON has no bytes.
"""

from __future__ import annotations

from contextlib import AbstractContextManager

from geostore.export.files.folder import ExportFolder
from geostore.export.files.rows import RowFiles, json_lines, parquet_rows
from geostore.export.options import FormatRules
from geostore.export.stream import ExportStream
from geostore.export.student.dialogue import dialogues
from geostore.export.trainers.llamafactory import (
    Areas,
    loads,
    settings_guide,
    sharegpt_row,
    sharegpt_schema,
    write_info,
    write_settings,
)

__all__ = ["RULES", "guide", "loads", "write_sharegpt"]

RULES = FormatRules(("files", "embed"), frozenset({"reasoning", "shard_size"}), "LLaMA-Factory")


def write_sharegpt(traces: ExportStream, folder: ExportFolder) -> int:
    """Write a row per trace, the list of datasets and the settings; return how many rows."""
    count = 0
    areas = Areas()
    with _rows(traces, folder) as rows:
        for dialogue in dialogues(traces):
            rows.write(sharegpt_row(dialogue), dialogue.exported.split, dialogue.exported.trace)
            traces.count_row(dialogue)
            areas.add(dialogue.images)
            count += 1
    write_info(folder, rows, columns={"messages": "conversations", "images": "images"})
    write_settings(folder, traces, rows, areas, "sft")
    return count


def _rows(traces: ExportStream, folder: ExportFolder) -> AbstractContextManager[RowFiles]:
    if traces.options.images == "files":
        return json_lines(folder, "traces", traces.options)
    return parquet_rows(folder, "traces", sharegpt_schema(), traces.options)


def guide(traces: ExportStream) -> str:
    """How LLaMA-Factory loads it."""
    return f"""\
Each row is a conversation for [LLaMA-Factory](https://github.com/hiyouga/LLaMA-Factory) 0.9.5:
`system` first, then `human` and `gpt` in turns, and `images`. The tools stand in the system prompt,
the calls in the replies and the results in the human's turns, each as text in the tags that
Qwen2.5-VL and Qwen3-VL know. A literal `<image>` in a text is written `<image\\>`, because
LLaMA-Factory counts it.

{settings_guide(traces)}"""
