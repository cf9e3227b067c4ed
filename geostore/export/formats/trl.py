"""Format ``trl``: whole conversations for TRL's SFTTrainer, as Parquet with the images in it.

One row a trace, of which every response is learnt (``assistant_only_loss=True``).
"""

from __future__ import annotations

from geostore.export.files.folder import ExportFolder
from geostore.export.files.rows import parquet_rows
from geostore.export.options import FormatRules
from geostore.export.stream import ExportStream
from geostore.export.student.dialogue import dialogues
from geostore.export.trainers.hf_features import image_type, image_value, with_image_lists
from geostore.export.trainers.trl_messages import messages_type, training_script, trl_messages

RULES = FormatRules(("embed",), frozenset({"reasoning", "shard_size"}), "TRL")


def write_trl(traces: ExportStream, folder: ExportFolder) -> int:
    """Write a row per trace; return how many."""
    import pyarrow

    columns = [
        ("messages", messages_type()),
        ("images", pyarrow.list_(image_type())),
        ("trace", pyarrow.string()),
    ]
    schema = with_image_lists(pyarrow.schema(columns), "images")
    count = 0
    with parquet_rows(folder, "traces", schema, traces.options) as rows:
        for dialogue in dialogues(traces):
            row = {
                "messages": trl_messages(dialogue),
                "images": [image_value(image) for image in dialogue.images],
                "trace": dialogue.exported.trace.name,
            }
            rows.write(row, dialogue.exported.split, dialogue.exported.trace)
            traces.count_row(dialogue)
            count += 1
    return count


def guide(traces: ExportStream) -> str:
    """How TRL loads it."""
    return f"""\
A row is a whole conversation, and TRL's `SFTTrainer` learns every response in it.
It needs TRL 1.16, transformers 5.18 or newer, and a student whose chat template TRL
can mark responses in, such as Qwen2.5-VL and Qwen3-VL Instruct. For any other student,
export `--format trl-turns`.

{training_script(traces, "traces", trainer="SFT", settings="assistant_only_loss=True,")}"""
