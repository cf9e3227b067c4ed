"""Pairs for ms-swift: ``messages`` beside ``rejected_messages``, each with its own images; as KTO
a row a rollout with its ``label``."""

from __future__ import annotations

from geostore.export.files.folder import ExportFolder
from geostore.export.files.rows import RowFiles, json_lines
from geostore.export.formats.swift import swift_row
from geostore.export.options import FormatRules, PairsAs
from geostore.export.pairs import Pair, choose, labelled, pairs
from geostore.export.stream import ExportStream
from geostore.export.trainers.swift_training import SCRIPT, settings_guide, write_script

__all__ = ["RULES", "choose", "guide", "write_pairs"]

RULES = FormatRules(
    ("files",),
    frozenset({"reasoning", "shard_size", "pairs_for", "pairs_as", "min_gap"}),
    "ms-swift",
)


def write_pairs(traces: ExportStream, folder: ExportFolder) -> int:
    """Write a line per pair, or per rollout; return how many traces."""
    kind = traces.options.pairs_as
    with json_lines(folder, "traces", traces.options) as lines:
        count = _write_labels(traces, lines) if kind == "kto" else _write_pairs(traces, lines)
    write_script(folder, traces, lines, _COMMANDS[kind])
    return count


def _write_pairs(traces: ExportStream, lines: RowFiles) -> int:
    count = 0
    for pair in pairs(traces):
        lines.write(_row(pair, traces), pair.chosen.exported.split)
        traces.count_row(pair.chosen, pair.rejected)
        count += 2
    return count


def _write_labels(traces: ExportStream, lines: RowFiles) -> int:
    count = 0
    for each in labelled(traces):
        # ms-swift's KTO takes an assistant's words alone as the end of a row.
        row = {**swift_row(each.dialogue, traces, last_as_text=True), "label": each.accepted}
        lines.write(row, each.dialogue.exported.split)
        traces.count_row(each.dialogue)
        count += 1
    return count


def _row(pair: Pair, traces: ExportStream) -> dict[str, object]:
    rejected = swift_row(pair.rejected, traces)
    # ms-swift takes every member that begins with rejected_ as one of the other conversation.
    return {
        **swift_row(pair.chosen, traces),
        "worse_trace": rejected.pop("trace"),
        **{f"rejected_{name}": value for name, value in rejected.items()},
    }


_COMMANDS: dict[PairsAs, str] = {
    "dpo": "swift rlhf --rlhf_type dpo --remove_unused_columns false",
    "kto": "swift rlhf --rlhf_type kto --per_device_train_batch_size 2",
}
_LINES: dict[PairsAs, str] = {
    "dpo": """\
a pair for [ms-swift](https://github.com/modelscope/ms-swift) 4.6:
the better conversation in `messages`, the worse one in `rejected_messages`, each with its images.
""",
    "kto": """\
for [ms-swift](https://github.com/modelscope/ms-swift) 4.6: a
conversation with its `label`, which is true where its score is accepted.
""",
}
_SETTINGS: dict[PairsAs, str] = {
    "dpo": """\
- `--remove_unused_columns false`: without it ms-swift drops `rejected_chat_template_kwargs`, and
  may resize images of the worse conversation.
""",
    "kto": """\
- `--per_device_train_batch_size 2`: in a batch of one there is no other reply to compare with, and
  ms-swift refuses it. `--loss_type apo_zero_unpaired` compares with none.
""",
}


def guide(traces: ExportStream) -> str:
    """How ms-swift loads it."""
    kind = traces.options.pairs_as
    return f"""\
Each line of the JSONL files is {_LINES[kind]}`{SCRIPT}` starts a training of it.

{settings_guide()}{_SETTINGS[kind]}"""
