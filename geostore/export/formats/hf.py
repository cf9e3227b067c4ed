"""Format ``hf``: a dataset of Hugging Face on disk, with its images and a card.

A row is a trace: its messages in the form that chat templates read, its images in the order
of their places, and what is known of the photo, the answer and the reward.
"""

from __future__ import annotations

from typing import Any

import orjson

from geostore.dataset.saved import SavedColumns
from geostore.export.files.arrow_rows import arrow_rows
from geostore.export.files.folder import ExportFolder
from geostore.export.images import ExportedImage, image_reference
from geostore.export.options import FormatRules
from geostore.export.stream import ExportStream
from geostore.export.student.dialogue import Dialogue, dialogues
from geostore.export.trainers.chat_messages import chat_messages
from geostore.export.trainers.dialects import Dialect
from geostore.export.trainers.hf_features import image_value
from geostore.records import StoredTrace
from geostore.text.json_lines import json_text

RULES = FormatRules(("embed", "reference"), frozenset({"reasoning", "shard_size"}), "datasets")

_DIALECT = Dialect(
    reader="datasets",
    source="the chat templates of Qwen2.5-VL and Qwen3-VL",
    calls="native",
    every_content_a_list=True,
    arguments_as_values=True,
    weight=None,
    how_to_load="",
)

COLUMNS = SavedColumns(
    {
        "trace": "text",
        "messages": "list of json",
        "images": "images",
        "tools": "list of json",
        "final_response": "text",
        "answer_lat": "number",
        "answer_lon": "number",
        "answer_failure": "text",
        "lat": "number",
        "lon": "number",
        "country": "text",
        "locatability_score": "number",
        "sample": "json",
        "dataset": "text",
        "dataset_fingerprint": "text",
        "sample_index": "whole",
        "reward": "text",
        "score": "number",
        "distance_km": "number",
        "geoguessr_points": "whole",
        "model": "text",
        "recipe": "text",
        "rollout": "whole",
        "status": "text",
        "stop_reason": "text",
        "turns": "whole",
        "tool_calls": "whole",
        "completion_tokens": "whole",
        "image_sha256": "list of text",
    }
)
"""The columns where images are embedded."""

REFERENCE_COLUMNS = SavedColumns({**COLUMNS.kinds, "images": "list of json"})
"""The columns where images are references: a hash and how the image is derived."""


def columns_of(traces: ExportStream) -> SavedColumns:
    """The columns of an export, by how it carries images."""
    return REFERENCE_COLUMNS if traces.options.images == "reference" else COLUMNS


def write_hf(traces: ExportStream, folder: ExportFolder) -> int:
    """Write a dataset with a row per trace; return how many rows."""
    with arrow_rows(folder, columns_of(traces), traces.options) as rows:
        for dialogue in dialogues(traces):
            rows.write(_row(dialogue), dialogue.exported)
            traces.count_row(dialogue)
    names = ", ".join(sorted({facts.name for facts in traces.scope.datasets}))
    traces.card = columns_of(traces).card(
        list(rows.by_split.values()),
        pretty_name=f"Traces of photo geolocation over {names}",
        task_categories=["image-text-to-text"],
        tags=["geolocation", "tool-use", "distillation"],
    )
    return rows.count


def _row(dialogue: Dialogue) -> dict[str, Any]:
    trace = dialogue.exported.trace
    sample, answer, reward = trace.sample, trace.answer, trace.reward
    tokens = [turn.completion_tokens for turn in trace.turns]
    messages = chat_messages(dialogue, _DIALECT, lambda _: {"type": "image"})
    return {
        "trace": trace.name,
        "messages": [json_text(message) for message in messages],
        "images": [_image(image, trace) for image in dialogue.images],
        "tools": [json_text(tool) for tool in dialogue.tools],
        "final_response": trace.final_response,
        "answer_lat": answer and answer.lat,
        "answer_lon": answer and answer.lon,
        "answer_failure": answer and answer.failure,
        "lat": sample.lat,
        "lon": sample.lon,
        "country": sample.country,
        "locatability_score": sample.locatability_score,
        "sample": orjson.dumps(sample.columns, option=orjson.OPT_SORT_KEYS).decode(),
        "dataset": trace.dataset.name,
        "dataset_fingerprint": trace.dataset.fingerprint,
        "sample_index": sample.sample_index,
        "reward": trace.reward_spec,
        "score": reward and reward.score,
        "distance_km": reward and reward.distance_km,
        "geoguessr_points": reward and reward.geoguessr_points,
        "model": trace.recipe.model,
        "recipe": trace.key.recipe_sha256,
        "rollout": trace.key.rollout,
        "status": trace.status,
        "stop_reason": trace.stop_reason,
        "turns": len(trace.turns),
        "tool_calls": len(trace.calls),
        "completion_tokens": None if None in tokens else sum(filter(None, tokens)),
        "image_sha256": [image.facts.sha256 for image in dialogue.images],
    }


def _image(image: ExportedImage, trace: StoredTrace) -> Any:
    if image.sent is not None:
        return image_value(image)
    return json_text(image_reference(image, trace))


def guide(traces: ExportStream) -> str:
    """How `datasets` loads it, and what stands in a row."""
    images = (
        "`images` are references: a hash, and how the image is derived from its dataset."
        if traces.options.images == "reference"
        else "`images` holds the photo and each image of a tool, as the teacher saw them."
    )
    return f"""```python
import datasets

splits = datasets.load_from_disk("THIS FOLDER")  # or load_dataset("THIS FOLDER")
row = splits["train"][0]
```

It needs datasets 4.7 or later, because tool calls are columns of JSON. `splits.push_to_hub("NAME")`
uploads it; look at the licence of the photos first.

A row is a trace. `messages` and `tools` go into the chat template of a student as they are:
`processor.apply_chat_template(row["messages"], tools=row["tools"])`.
{images}
They stand in the order of their places in the messages.

- `lat` and `lon` are the photo's true place, `answer_lat` and `answer_lon` the teacher's.
- `sample` holds what else the dataset says of the photo.
- `score`, `distance_km` and `geoguessr_points` are those of the reward that `reward` names.

In the teacher's words, what a template would take for the place of an image has a backslash:
`<image\\>` where the teacher wrote `<image>`.
"""
