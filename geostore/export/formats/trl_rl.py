"""Format ``trl-rl``: prompts for TRL's GRPOTrainer, as Parquet, with the tools and the reward.

One row for each photo and recipe, without a word of the teacher. Beside the rows stand
``photo_tools.py`` with the tools, ``reward.py`` and ``train.py`` with the settings.
"""

from __future__ import annotations

from importlib import resources
from typing import Any

from geostore.errors import ExportError
from geostore.export.files.folder import ExportFolder
from geostore.export.files.rows import parquet_rows
from geostore.export.options import FormatRules
from geostore.export.stream import ExportStream
from geostore.export.trainers.hf_features import image_type, image_value, with_image_lists
from geostore.export.trainers.reward_file import REWARD_FILE, reward_file
from geostore.export.trainers.rl_prompts import RlPrompt, RlPrompts
from geostore.export.trainers.trl_messages import messages_type, prompt_messages

RULES = FormatRules(
    ("embed",),
    frozenset({"shard_size"}),
    "TRL",
    rows="rollout",
    length_setting="max_completion_length",
    has_tools=True,
)

_RESPONSES, _TOKENS = "RESPONSES = 10\n", '"max_completion_length": 16384,'
_FILES = '"prompts*.parquet"'


def write_trl_rl(traces: ExportStream, folder: ExportFolder) -> int:
    """Write a row per photo and recipe, and the scripts; return the count of traces."""
    import pyarrow

    if traces.reward_spec is None:
        raise ExportError(
            "the store has no reward to train with; make one with geostore rescore, and name it "
            "with --reward"
        )
    reward = reward_file(traces.reward_spec)
    columns = [
        ("prompt", messages_type()),
        ("images", pyarrow.list_(image_type())),
        ("photo", pyarrow.binary()),
        ("photo_sha256", pyarrow.string()),
        ("tool_settings", pyarrow.string()),
        ("lat", pyarrow.float64()),
        ("lon", pyarrow.float64()),
        ("locatability_score", pyarrow.float64()),
        ("country", pyarrow.string()),
        ("sample", pyarrow.string()),
    ]
    schema = with_image_lists(pyarrow.schema(columns), "images")
    prompts = RlPrompts(traces)
    with parquet_rows(folder, "prompts", schema, traces.options) as rows:
        for prompt in prompts:
            rows.write(_row(prompt), prompt.split)
    folder.add(REWARD_FILE, reward)
    folder.add("photo_tools.py", _script("trl_photo_tools.py.txt").encode())
    script = _script("trl_train.py.txt").replace(_RESPONSES, f"RESPONSES = {prompts.turn_limit}\n")
    training, _ = traces.stems("prompts")
    script = script.replace(_FILES, f'"{training}*.parquet"')
    if traces.lengths is not None:
        tokens = f'"max_completion_length": {traces.lengths.setting},'
        script = script.replace(_TOKENS, tokens)
    folder.add("train.py", script.encode())
    return prompts.traces


def _row(prompt: RlPrompt) -> dict[str, Any]:
    sample = prompt.sample
    return {
        "prompt": prompt_messages(prompt.system, prompt.question),
        "images": [image_value(prompt.photo)],
        "photo": prompt.photo_file,
        "photo_sha256": prompt.photo_sha256,
        "tool_settings": prompt.settings,
        "lat": sample.lat,
        "lon": sample.lon,
        "locatability_score": sample.locatability_score,
        "country": sample.country,
        "sample": prompt.name,
    }


def _script(name: str) -> str:
    return (
        resources.files("geostore.export.trainers.scripts")
        .joinpath(name)
        .read_text(encoding="utf-8")
    )


def guide(_traces: ExportStream) -> str:
    """How TRL trains with it."""
    return """\
A row is a photo to be asked about, with the prompt that the teacher got. `photo_tools.py` runs the
student's calls as geostore ran the teacher's, on the photo at full resolution, which is in the row
(`photo`). `reward.py` scores an answer with the reward of this export.

Choose the student and its settings in `train.py`, and start it in an environment with TRL 1.16,
transformers 5.18 or newer, and geostore for the tools:

```shell
pip install "trl==1.16.0" "transformers>=5.18" peft geostore-distill
accelerate launch train.py
```

- `max_completion_length` holds all of a rollout behind the prompt, images included, and is set to
  the teacher's longest trace with its prompt. TRL's own 512 tokens are fewer than one crop has:
  TRL then takes the result back, and no tool ever helps.
- The tools stand in the system prompt, in the words that the teacher read, so `train.py` keeps the
  student's chat template from writing them once more.
- TRL ends a rollout at a response without a call, also where geostore would ask the teacher once
  more, and at a call whose JSON is broken. A tool that does not exist, and arguments that are no
  object, get TRL's own sentence.
- TRL does not say which response a call is of. So the limit of calls in a response does not hold,
  and no result says that the next response is the last.
- `reward.py` needs Python 3.11 or newer. Its first lines say whether it compares places, for which
  it needs geostore as the tools do.
- A column of a row reaches a reward function by its name: `lat`, `lon`, `country`,
  `locatability_score`, `sample`.
"""
