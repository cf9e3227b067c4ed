"""Format ``trl-turns``: a prompt and a completion per turn for TRL's SFTTrainer, as Parquet.

The prompt is the conversation before a response, and the completion is that response,
so a student whose chat template knows no loss on assistant turns alone can learn it too.
A turn that is not to be learnt has no row of its own and stays in the prompts of later ones.
"""

from __future__ import annotations

from geostore.export.files.folder import ExportFolder
from geostore.export.files.rows import parquet_rows
from geostore.export.options import FormatRules
from geostore.export.stream import ExportStream
from geostore.export.student.dialogue import dialogues
from geostore.export.trainers.hf_features import image_type, with_image_lists
from geostore.export.trainers.trl_messages import messages_type, training_script, trl_turns

RULES = FormatRules(
    ("embed",), frozenset({"reasoning", "shard_size", "mask_turns"}), "TRL", rows="turn"
)


def write_trl_turns(traces: ExportStream, folder: ExportFolder) -> int:
    """Write a row per turn that is learnt; return the count of traces."""
    import pyarrow

    columns = [
        ("prompt", messages_type()),
        ("completion", messages_type()),
        ("images", pyarrow.list_(image_type())),
        ("trace", pyarrow.string()),
        ("turn", pyarrow.int64()),
    ]
    schema = with_image_lists(pyarrow.schema(columns), "images")
    count = 0
    with parquet_rows(folder, "turns", schema, traces.options) as rows:
        for dialogue in dialogues(traces):
            name = dialogue.exported.trace.name
            for reply, read, row in trl_turns(dialogue):
                if reply.learn:
                    whole = {**row, "trace": name, "turn": reply.turn}
                    rows.write(whole, dialogue.exported.split)
                    traces.count_row(read)
            count += 1
    return count


def guide(traces: ExportStream) -> str:
    """How TRL loads it."""
    return f"""\
A row is one turn: the conversation before it as the prompt, and the response as the
completion, which alone is learnt. It holds the images of its prompt. Any student that
TRL trains with several images will do.

{training_script(traces, "turns", trainer="SFT", settings="completion_only_loss=True,")}"""
