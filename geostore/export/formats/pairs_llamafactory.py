"""Pairs for LLaMA-Factory, as Parquet: one reply each behind what both rollouts share; as KTO a row
a rollout with its ``label``.

LLaMA-Factory compares one reply with another, and labels one. So a pair is the first replies in
which two rollouts differ, and what came after them is left out. A label is about the last reply.
"""

from __future__ import annotations

from typing import Any

from geostore.export.files.folder import ExportFolder
from geostore.export.files.rows import parquet_rows
from geostore.export.images import ExportedImage
from geostore.export.options import FormatRules
from geostore.export.pairs import UNPAIRED, Pair, choose, labelled, pairs
from geostore.export.stream import ExportStream
from geostore.export.student.dialogue import Step
from geostore.export.trainers.llamafactory import (
    Areas,
    entries,
    entry_type,
    image_values,
    images_of,
    images_type,
    loads,
    settings_guide,
    sharegpt_row,
    sharegpt_schema,
    system_entries,
    write_info,
    write_settings,
)

__all__ = ["RULES", "choose", "guide", "loads", "write_pairs"]

RULES = FormatRules(
    ("embed",),  # as files there would be images of turns that no row holds
    frozenset({"reasoning", "shard_size", "pairs_for", "pairs_as", "min_gap"}),
    "LLaMA-Factory",
)


def write_pairs(traces: ExportStream, folder: ExportFolder) -> int:
    """Write a row per pair, or per rollout, with the list of datasets and the settings.

    Returns how many traces.
    """
    if traces.options.pairs_as == "kto":
        return _write_labels(traces, folder)
    import pyarrow

    count = 0
    areas = Areas()
    text = pyarrow.string()
    members = [
        ("conversations", pyarrow.list_(entry_type())),
        ("chosen", entry_type()),
        ("rejected", entry_type()),
        ("images", images_type()),
        ("trace", text),
        ("worse_trace", text),
    ]
    with parquet_rows(folder, "traces", pyarrow.schema(members), traces.options) as rows:
        for pair in pairs(traces):
            shared = pair.shared
            if shared is None:
                sides = (pair.chosen.exported, pair.rejected.exported)
                traces.take_back(*sides, reason=UNPAIRED)
                continue
            images = images_of(shared)
            rows.write(_row(pair, shared, images), pair.chosen.exported.split)
            traces.count_row(*pair.until_apart)
            areas.add(images)
            count += 2
    columns = {name: name for name in ("chosen", "rejected", "images")}
    write_info(folder, rows, ranking=True, columns={"messages": "conversations", **columns})
    write_settings(folder, traces, rows, areas, "dpo")
    return count


def _write_labels(traces: ExportStream, folder: ExportFolder) -> int:
    import pyarrow

    count = 0
    areas = Areas()
    schema = sharegpt_schema().append(pyarrow.field("label", pyarrow.bool_()))
    with parquet_rows(folder, "traces", schema, traces.options) as rows:
        for each in labelled(traces):
            row = {**sharegpt_row(each.dialogue), "label": each.accepted}
            rows.write(row, each.dialogue.exported.split)
            traces.count_row(each.dialogue)
            areas.add(each.dialogue.images)
            count += 1
    columns = {"messages": "conversations", "images": "images", "kto_tag": "label"}
    write_info(folder, rows, columns=columns)
    write_settings(folder, traces, rows, areas, "kto")
    return count


def _row(pair: Pair, shared: tuple[Step, ...], images: list[ExportedImage]) -> dict[str, Any]:
    number = len(shared)
    chosen, rejected = entries([pair.chosen.steps[number], pair.rejected.steps[number]])
    return {
        "conversations": [*system_entries(pair.chosen), *entries(shared)],
        "chosen": chosen,
        "rejected": rejected,
        "images": image_values(images),
        "trace": pair.chosen.exported.trace.name,
        "worse_trace": pair.rejected.exported.trace.name,
    }


def guide(traces: ExportStream) -> str:
    """How LLaMA-Factory loads it."""
    return f"""\
{_ROWS[traces.options.pairs_as]}

{settings_guide(traces)}"""


_ROWS = {
    "dpo": """\
Each row is a pair for [LLaMA-Factory](https://github.com/hiyouga/LLaMA-Factory) 0.9.5, with the
images inside: `conversations` is what both rollouts share, `chosen` and `rejected` are the first
replies in which they differ, of the better rollout (`trace`) and of the worse one (`worse_trace`).
LLaMA-Factory compares one reply with another, so what came after these is left out.""",
    "kto": """\
Each row is a rollout for [LLaMA-Factory](https://github.com/hiyouga/LLaMA-Factory) 0.9.5, with the
images inside, and its `label`: true where its score is accepted. LLaMA-Factory takes the label for
that of the last reply, and learns nothing from the replies before it. Its KTO trains Qwen2.5-VL,
and fails with Qwen3-VL (`mm_token_type_ids` is missing).""",
}
