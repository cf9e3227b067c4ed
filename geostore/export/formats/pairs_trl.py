"""Pairs for TRL, as Parquet: one reply each behind what both rollouts share; as KTO a row a reply
with the label of its rollout.

TRL takes images in a prompt alone, and counts all of a completion. So a completion is one
reply, and the results of its calls stand in the prompts of later ones.
"""

from __future__ import annotations

from typing import Any

from geostore.export.files.folder import ExportFolder
from geostore.export.files.rows import parquet_rows
from geostore.export.options import FormatRules
from geostore.export.pairs import UNPAIRED, Pair, choose, labelled, pairs
from geostore.export.stream import ExportStream
from geostore.export.trainers.hf_features import image_type, with_image_lists
from geostore.export.trainers.trl_messages import messages_type, training_script, trl_turns

__all__ = ["RULES", "choose", "guide", "write_pairs"]

RULES = FormatRules(
    ("embed",), frozenset({"reasoning", "shard_size", "pairs_for", "pairs_as", "min_gap"}), "TRL"
)


def write_pairs(traces: ExportStream, folder: ExportFolder) -> int:
    """Write a row per pair, or per reply; return how many traces."""
    if traces.options.pairs_as == "kto":
        return _write_labels(traces, folder)
    import pyarrow

    messages, text = messages_type(), pyarrow.string()
    columns = [
        *((name, messages) for name in ("prompt", "chosen", "rejected")),
        ("images", pyarrow.list_(image_type())),
        ("trace", text),
        ("worse_trace", text),
        ("turn", pyarrow.int64()),
    ]
    schema = with_image_lists(pyarrow.schema(columns), "images")
    count = 0
    with parquet_rows(folder, "traces", schema, traces.options) as rows:
        for pair in pairs(traces):
            row = _row(pair)
            if row is None:
                sides = (pair.chosen.exported, pair.rejected.exported)
                traces.take_back(*sides, reason=UNPAIRED)
                continue
            rows.write(row, pair.chosen.exported.split)
            traces.count_row(*pair.until_apart)
            count += 2
    return count


def _row(pair: Pair) -> dict[str, Any] | None:
    """The first replies in which the rollouts differ; None where there are none."""
    if pair.shared is None:
        return None
    turns = zip(trl_turns(pair.chosen), trl_turns(pair.rejected), strict=False)
    reply, better, worse = next(
        (reply, better, worse)
        for (reply, _, better), (other, _, worse) in turns
        if reply.text != other.text
    )
    return {
        "prompt": better["prompt"],
        "chosen": better["completion"],
        "rejected": worse["completion"],
        "images": better["images"],
        "trace": pair.chosen.exported.trace.name,
        "worse_trace": pair.rejected.exported.trace.name,
        "turn": reply.turn,
    }


def _write_labels(traces: ExportStream, folder: ExportFolder) -> int:
    import pyarrow

    columns = [
        ("prompt", messages_type()),
        ("completion", messages_type()),
        ("label", pyarrow.bool_()),
        ("images", pyarrow.list_(image_type())),
        ("trace", pyarrow.string()),
        ("turn", pyarrow.int64()),
    ]
    schema = with_image_lists(pyarrow.schema(columns), "images")
    count = 0
    with parquet_rows(folder, "traces", schema, traces.options) as rows:
        for each in labelled(traces):
            exported = each.dialogue.exported
            for reply, read, row in trl_turns(each.dialogue):
                own = {"label": each.accepted, "trace": exported.trace.name, "turn": reply.turn}
                rows.write({**row, **own}, exported.split)
                traces.count_row(read)
            count += 1
    return count


def guide(traces: ExportStream) -> str:
    """How TRL loads it."""
    kind = traces.options.pairs_as
    about, settings = _ABOUT[kind]
    return f"{about}\n{training_script(traces, 'traces', trainer=kind.upper(), settings=settings)}"


_ABOUT = {
    "dpo": (
        """\
A row is a pair for TRL's `DPOTrainer`: `prompt` is what both rollouts share, with its `images`;
`chosen` and `rejected` are the first replies in which the better rollout (`trace`) and the worse
one (`worse_trace`) differ. TRL takes images in a prompt alone, and counts all of a completion,
results of tools too. So what came after these replies is left out.
""",
        "precompute_ref_log_probs=False,",
    ),
    "kto": (
        """\
A row is a reply for TRL's `KTOTrainer`: `prompt` is the conversation before it, with its
`images`, `completion` the reply, and `label` that of the whole rollout: true where its score is
accepted. TRL takes images in a prompt alone, and counts all of a completion, so a rollout is a
row for each reply.
""",
        "per_device_train_batch_size=2,\nprecompute_ref_log_probs=False,",
    ),
}
"""What a row is, and the settings without which TRL refuses the rows."""
