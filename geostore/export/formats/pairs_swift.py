"""Pairs for ms-swift: ``messages`` beside ``rejected_messages``, each with its own images; as KTO
a row a rollout with its ``label``."""

from __future__ import annotations

from geostore.export.folder import ExportFolder
from geostore.export.formats.swift import swift_row
from geostore.export.options import FormatRules
from geostore.export.pairs import Pair, choose, labelled, pairs
from geostore.export.rows import RowFiles, json_lines
from geostore.export.stream import ExportStream

__all__ = ["RULES", "choose", "guide", "write_pairs"]

RULES = FormatRules(
    ("files",),
    frozenset({"reasoning", "shard_size", "pairs_for", "pairs_as", "min_gap"}),
    "ms-swift",
)


def write_pairs(traces: ExportStream, folder: ExportFolder) -> int:
    """Write a line per pair, or per rollout; return how many traces."""
    with json_lines(folder, "traces", traces.options) as lines:
        if traces.options.pairs_as == "kto":
            return _write_labels(traces, lines)
        count = 0
        for pair in pairs(traces):
            lines.write(_row(pair), pair.chosen.exported.split)
            count += 2
        return count


def _write_labels(traces: ExportStream, lines: RowFiles) -> int:
    count = 0
    for each in labelled(traces):
        # ms-swift's KTO takes an assistant's words alone as the end of a row.
        row = {**swift_row(each.dialogue, last_as_text=True), "label": each.accepted}
        lines.write(row, each.dialogue.exported.split)
        count += 1
    return count


def _row(pair: Pair) -> dict[str, object]:
    rejected = swift_row(pair.rejected)
    # ms-swift takes every member that begins with rejected_ as one of the other conversation.
    return {
        **swift_row(pair.chosen),
        "worse_trace": rejected.pop("trace"),
        **{f"rejected_{name}": value for name, value in rejected.items()},
    }


def guide(traces: ExportStream) -> str:
    """How ms-swift loads it."""
    kind = traces.options.pairs_as
    return f"""\
Each line of the JSONL files is {_LINES[kind]} for
[ms-swift](https://github.com/modelscope/ms-swift) 4.6. With `--split` there is a file for each
split, else `traces.jsonl`.

```shell
EXPORT=/path/to/this/folder
ROOT_IMAGE_DIR=$EXPORT swift rlhf --rlhf_type {kind} \\
  --model Qwen/Qwen3-VL-8B-Instruct \\
  --dataset $EXPORT/traces.jsonl \\
  --agent_template hermes --loss_scale default \\
  --max_length 32768 --truncation_strategy delete --strict true
```

- `ROOT_IMAGE_DIR`: paths of images start at this folder; without it ms-swift looks for them in the
  working directory.
- `--loss_scale default`: all replies of the teacher count. Left out, `swift rlhf` takes
  `last_round`, and the replies before the last question of a user count for nothing.
- `--max_length`: a row with a longer conversation is dropped without an error.
- Leave `MAX_PIXELS` as it is: each row has its own `max_pixels` and `min_pixels`, so that no image
  is resized but to whole patches, and boxes in pixels lie where they lay.
"""


_LINES = {
    "dpo": "a pair: the better conversation in `messages`, the worse one in `rejected_messages`, "
    "each with its images,",
    "kto": "a conversation with its `label`, true where its score is accepted,",
}
