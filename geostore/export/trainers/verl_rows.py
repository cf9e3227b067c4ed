"""What verl's two formats of conversations have in common: columns, checks and settings."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from geostore.errors import ExportError
from geostore.export.images import ExportedImage
from geostore.export.stream import ExportStream
from geostore.export.student.dialogue import Dialogue
from geostore.export.student.placeholders import escape_placeholders
from geostore.export.trainers.verl_environment import TRAIN_SCRIPT

if TYPE_CHECKING:
    import pyarrow

Message = dict[str, Any]


def image_list(*, pinned: bool = False) -> pyarrow.DataType:
    """The type of a row's images: their bytes alone, because verl asks which members are there.

    pinned: with the greatest area of each.
    """
    import pyarrow

    members = [("bytes", pyarrow.binary()), ("max_pixels", pyarrow.int64())]
    return pyarrow.list_(pyarrow.struct(members if pinned else members[:1]))


def image_values(
    images: Sequence[ExportedImage], max_pixels: int | None = None
) -> list[dict[str, Any]]:
    """Images as a value of `image_list`; max_pixels: the greatest area of each, in pixels."""
    pin = {} if max_pixels is None else {"max_pixels": max_pixels}
    values = []
    for image in images:
        assert image.sent is not None  # the images of these formats are embedded
        values.append({"bytes": image.sent.data, **pin})
    return values


def pinned_pixels(traces: ExportStream) -> int | None:
    """The area to which verl reduces each image, in pixels; None: as the student's processor does.

    Boxes that were re-framed to pixels lie right at that size alone.
    """
    options, student = traces.options, traces.for_student
    if student is None or (options.bbox_frame != "pixel" and options.student_pixels is None):
        return None
    return student.student.max_pixels


def sft_schema(*, with_calls: bool, pinned: bool) -> pyarrow.Schema:
    """The columns of a file of conversations. pinned: as of `image_list`."""
    import pyarrow

    text = pyarrow.string()
    message = [("role", text), ("content", text)]
    if with_calls:
        function = pyarrow.struct([("name", text), ("arguments", text)])
        call = pyarrow.struct([("type", text), ("function", function)])
        message.append(("tool_calls", pyarrow.list_(call)))
    messages = pyarrow.list_(pyarrow.struct(message))
    images = image_list(pinned=pinned)
    return pyarrow.schema([("messages", messages), ("images", images), ("trace", text)])


def system_messages(dialogue: Dialogue) -> list[Message]:
    """The system message with the tools in it, where there is one."""
    system = dialogue.system_with_tools
    return [] if system is None else [{"role": "system", "content": escape_placeholders(system)}]


def checked_row(
    dialogue: Dialogue, messages: list[Message], max_pixels: int | None
) -> dict[str, Any]:
    """The row of a dialogue. Raises ExportError, naming the trace, where images and places differ.

    verl's loader would stop in the middle of a training.
    """
    name, images = dialogue.exported.trace.name, dialogue.images
    placed = sum(message["content"].count("<image>") for message in messages)
    if placed != len(images):
        raise ExportError(f"{name}: {placed} places for {len(images)} images")
    return {"messages": messages, "images": image_values(images, max_pixels), "trace": name}


def sft_guide() -> str:
    """The command and its settings."""
    return f"""\
Each Parquet file has the columns `messages`, `images` (the bytes of each, in the order of the
`<image>` in the messages) and `trace`. verl 0.9 loads them with its `MultiTurnSFTDataset`.
`{TRAIN_SCRIPT}` holds the settings and starts verl; further settings can follow:

```shell
MODEL=Qwen/Qwen3-VL-8B-Instruct GPUS=8 sh {TRAIN_SCRIPT} optim.lr=1e-5
```

- `data.max_length`: verl's own 1024 is too short for one photo. With `truncation=error` a longer
  row stops the training and is named by its length; `right` cuts off the answer.
- `data.max_token_len_per_gpu`: at least `data.max_length`, or a long row fits no batch.
- `data.train_batch_size`: verl drops an epoch's last rows where they fill no batch, so it is not
  above the rows to learn from. `GPUS` has to be no more than it.
- `data.enable_thinking_default=null`: verl's own value is the word `none`, which counts as true.
- `data.ignore_input_ids_mismatch=true`: for a template that drops the thoughts of earlier turns.
  verl reads each message by itself, and otherwise stops where the whole reads differently.
- The loss is on the assistant's messages. The tools stand in the system message, and there is no
  column of them.
"""
