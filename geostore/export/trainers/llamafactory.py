"""What LLaMA-Factory reads beside its rows: the list of datasets and a training's settings."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal

from geostore.errors import ExportError
from geostore.export.files.folder import ExportFolder, pretty_json
from geostore.export.files.rows import RowFiles
from geostore.export.images import ExportedImage
from geostore.export.stream import ExportStream
from geostore.export.student.dialogue import Dialogue, Reply, Step, with_placeholders
from geostore.export.student.placeholders import escape_placeholders
from geostore.export.student.students import StudentName
from geostore.export.trainers.loaded_by_llamafactory import loaded_rows

if TYPE_CHECKING:
    import pyarrow

Stage = Literal["sft", "dpo", "kto"]
"""LLaMA-Factory's own words for what is trained."""
Entry = dict[str, str]
"""A message of a conversation: who it is from, and its value."""

SETTINGS_FILE = "llamafactory.yaml"
_INFO_FILE = "dataset_info.json"
_MODELS: Mapping[StudentName, tuple[str, str]] = MappingProxyType(
    {
        "qwen3-vl": ("Qwen/Qwen3-VL-8B-Instruct", "qwen3_vl_nothink"),
        "qwen2.5-vl": ("Qwen/Qwen2.5-VL-7B-Instruct", "qwen2_vl"),
        # It has no template for LLaVA-OneVision.
        "llava-style": ("llava-hf/llava-v1.6-mistral-7b-hf", "llava_next_mistral"),
    }
)
"""By student: a model, and the template under which a reply is learnt as it stands."""
_LEAST_PIXELS = 1024  # LLaMA-Factory's own image_min_pixels


class Areas:
    """The least and the greatest area of the images of an export, in pixels."""

    def __init__(self) -> None:
        self.least = self.greatest = _LEAST_PIXELS

    def add(self, images: Iterable[ExportedImage]) -> None:
        """Take these images in."""
        for image in images:
            area = image.facts.width * image.facts.height
            self.least, self.greatest = min(self.least, area), max(self.greatest, area)


def system_entries(dialogue: Dialogue) -> list[Entry]:
    """The system prompt with its tools: the first message, which both engines read."""
    system = dialogue.system_with_tools
    return [] if system is None else [_entry("system", escape_placeholders(system))]


def entries(steps: Iterable[Step]) -> list[Entry]:
    """Steps as messages of the human and the model in turns.

    Results are the human's too: where calls are text, they came in a user's turn, in tags of
    their own, and the templates would write tags of theirs around an `observation`.
    """
    return [
        _entry("gpt", escape_placeholders(step.text))
        if isinstance(step, Reply)
        else _entry("human", with_placeholders(step.parts))
        for step in steps
    ]


def image_values(images: Iterable[ExportedImage]) -> list[Any]:
    """Images as the rows hold them: paths in the export, or bytes where they are embedded."""
    return [
        image.path if image.sent is None or image.path is not None else {"bytes": image.sent.data}
        for image in images
    ]


def images_of(steps: Iterable[Step]) -> list[ExportedImage]:
    """The images that steps show, in order."""
    return [
        part
        for step in steps
        if not isinstance(step, Reply)
        for part in step.parts
        if isinstance(part, ExportedImage)
    ]


def sharegpt_row(dialogue: Dialogue) -> dict[str, Any]:
    """A whole trace as a row. Raises ExportError, naming it, where images and places differ."""
    conversations = [*system_entries(dialogue), *entries(dialogue.steps)]
    images = dialogue.images
    placed = sum(entry["value"].count("<image>") for entry in conversations)
    if placed != len(images):
        raise ExportError(
            f"{dialogue.exported.trace.name}: {placed} places for {len(images)} images"
        )
    return {
        "conversations": conversations,
        "images": image_values(images),
        "trace": dialogue.exported.trace.name,
    }


def sharegpt_schema() -> pyarrow.Schema:
    """The columns of `sharegpt_row` in Parquet."""
    import pyarrow

    members = [
        ("conversations", pyarrow.list_(entry_type())),
        ("images", images_type()),
        ("trace", pyarrow.string()),
    ]
    return pyarrow.schema(members)


def entry_type() -> pyarrow.DataType:
    """The type of a message in Parquet."""
    import pyarrow

    return pyarrow.struct([("from", pyarrow.string()), ("value", pyarrow.string())])


def images_type() -> pyarrow.DataType:
    """The type of a row's embedded images."""
    import pyarrow

    return pyarrow.list_(pyarrow.struct([("bytes", pyarrow.binary())]))


def write_info(folder: ExportFolder, files: RowFiles, **members: Any) -> None:
    """Write ``dataset_info.json``, which lists each file of rows as a dataset of its own.

    members: what its entries say beside the file's name. Tags are left out: LLaMA-Factory
    forgets all that a list of them does not name.
    """
    info = {
        name.removesuffix(files.suffix): {
            "file_name": name,
            "formatting": "sharegpt",
            **members,
        }
        for name in files.names
    }
    folder.add(_INFO_FILE, pretty_json(info))


def write_settings(
    folder: ExportFolder, traces: ExportStream, files: RowFiles, areas: Areas, stage: Stage
) -> None:
    """Write ``llamafactory.yaml``: a training of this export that can be run as it is."""
    assert traces.lengths is not None  # formats with a guide have them
    model, template = _MODELS[traces.lengths.student.name]
    methods = {
        "sft": "stage: sft\nlearning_rate: 1.0e-4",
        "dpo": "stage: dpo\npref_beta: 0.1\npref_loss: sigmoid\nlearning_rate: 5.0e-6",
        "kto": "stage: kto\npref_beta: 0.1\nlearning_rate: 5.0e-6",
    }
    training, validation = traces.stems(files.stem)
    evaluation = (
        ""
        if validation is None
        else f"eval_dataset: {_datasets(files, validation)}\neval_strategy: epoch\n"
    )
    folder.add(
        SETTINGS_FILE,
        f"""\
# cd into this folder, then: llamafactory-cli train {SETTINGS_FILE}
### the student
model_name_or_path: {model}
template: {template}
image_max_pixels: {areas.greatest}
image_min_pixels: {areas.least}

### the data
dataset_dir: .
dataset: {_datasets(files, training)}
{evaluation}cutoff_len: {traces.lengths.setting}
mask_history: false
train_on_prompt: false
packing: false

### the training
{methods[stage]}
do_train: true
finetuning_type: lora
lora_target: all
per_device_train_batch_size: 1
per_device_eval_batch_size: 1
gradient_accumulation_steps: 8
num_train_epochs: 1.0
lr_scheduler_type: cosine
warmup_ratio: 0.1
bf16: true
gradient_checkpointing: true
output_dir: ../llamafactory-{stage}
save_only_model: true
logging_steps: 10
report_to: none
""".encode(),
    )


def _datasets(files: RowFiles, split: str) -> str:
    """The names of a split's datasets, with commas between; empty where it has no row.

    In quotes, because YAML reads the name of a split such as ``1`` or ``no`` as no text.
    """
    names = (name.removesuffix(files.suffix) for name in files.by_split.get(split, ()))
    return f'"{",".join(names)}"'


def loads(folder: Path) -> str:
    """What LLaMA-Factory's own loader takes of an export, in words; it is installed here.

    Raises ExportError where it cannot load the export, or leaves rows out.
    """
    try:
        return loaded_rows(folder)
    except Exception as error:  # of LLaMA-Factory, datasets and pyarrow, which have no class alike
        raise ExportError(f"LLaMA-Factory cannot load {folder}: {error}") from error


def settings_guide(traces: ExportStream) -> str:
    """What each setting prevents, as Markdown."""
    drop = "" if traces.options.reasoning == "drop" else _THOUGHTS
    return f"""\
```shell
cd /path/to/this/folder
llamafactory-cli train {SETTINGS_FILE}
```

`{SETTINGS_FILE}` names all settings; put your own student, batch and method in. These have to stay:

- `dataset_dir: .`: `{_INFO_FILE}` lists each file of rows as a dataset, and paths of images start
  at that folder.
- `template`: under `qwen3_vl_nothink` and `qwen2_vl` a reply is learnt as it stands.
- `image_max_pixels`: the area of the largest image here. LLaMA-Factory's own 589,824 (768 x 768)
  makes larger images smaller, and boxes in pixels then lie elsewhere. To let the student see less,
  set `size.longest_edge` in its `preprocessor_config.json`, and export with `--student-pixels`.
- `cutoff_len`: its own 2,048 cuts off later turns without an error.
- `mask_history: false`: else only the last reply of each trace is learnt.
- `train_on_prompt: false`: else the question and the tools' results are learnt.
- `USE_V1` unset: the engine that `USE_V1=1` chooses has no images in version 0.9.5. It reads the
  word `<image>` instead and says nothing.
{drop}"""


_THOUGHTS = """\
- Thoughts stand in <think> tags in the replies. For a student that thinks, such as
  Qwen3-VL-8B-Thinking, set `template: qwen3_vl`: it writes an empty thought before a reply that
  has none, which is a few tokens more than `cutoff_len` counts on: set it 1,024 higher.
"""


def _entry(role: str, value: str) -> Entry:
    return {"from": role, "value": value}
