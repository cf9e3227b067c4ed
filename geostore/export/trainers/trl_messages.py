"""Messages as TRL reads them: each a role and a list of texts and places for images.

Results of calls are messages of the user, and calls stay text in the teacher's own words,
because TRL fills no image into a message of a tool. The tools stand in the system
prompt, because the trainer gives none to the template of a model that sees images.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from geostore.errors import ExportError
from geostore.export.stream import ExportStream
from geostore.export.student.dialogue import Dialogue, Part, Question, Reply
from geostore.export.student.placeholders import escape_placeholders
from geostore.export.trainers.hf_features import image_value
from geostore.export.trainers.loaded_by_trl import loaded_row

if TYPE_CHECKING:
    import pyarrow


def messages_type() -> pyarrow.DataType:
    """The type of a column of messages.

    A part holds nothing but its type and its text: where a column has a key ``image``,
    Parquet gives it to every part, and TRL then finds no place for an image.
    """
    import pyarrow

    part = pyarrow.struct([("type", pyarrow.string()), ("text", pyarrow.string())])
    return pyarrow.list_(
        pyarrow.struct([("role", pyarrow.string()), ("content", pyarrow.list_(part))])
    )


def trl_messages(dialogue: Dialogue) -> list[dict[str, Any]]:
    """All messages of a dialogue, with the system prompt first where there is one."""
    question, *steps = dialogue.steps
    assert isinstance(question, Question)
    messages = prompt_messages(dialogue.system_with_tools, question)
    for step in steps:
        if isinstance(step, Reply):
            messages.append(_message("assistant", [step.text]))
        else:
            messages.append(_message("user", step.parts))
    return messages


def prompt_messages(system: str | None, question: Question) -> list[dict[str, Any]]:
    """The messages before the first response. system: with the tools; None: there is none."""
    before = [] if system is None else [_message("system", [system])]
    return [*before, _message("user", question.parts)]


def _message(role: str, parts: Sequence[Part]) -> dict[str, Any]:
    """A message; texts that follow each other are one, since a template may part them."""
    content: list[dict[str, str | None]] = []
    for part in parts:
        if not isinstance(part, str):
            content.append({"type": "image", "text": None})
        elif content and content[-1]["text"] is not None:
            content[-1]["text"] += escape_placeholders(part)
        else:
            content.append({"type": "text", "text": escape_placeholders(part)})
    return {"role": role, "content": content}


def trl_turns(dialogue: Dialogue) -> Iterator[tuple[Reply, Dialogue, dict[str, Any]]]:
    """Each reply of a dialogue, with the dialogue up to it, and with `prompt`, `completion` and
    the `images` of the prompt."""
    messages = trl_messages(dialogue)
    # The steps stand at the end of the messages, one a message.
    first = len(messages) - len(dialogue.steps)
    images: list[dict[str, Any]] = []
    for number, step in enumerate(dialogue.steps, first):
        if isinstance(step, Reply):
            row = {"prompt": messages[:number], "completion": [messages[number]]}
            yield step, dialogue.until(number - first + 1), {**row, "images": list(images)}
        else:
            images += (image_value(part) for part in step.parts if not isinstance(part, str))


def loading(traces: ExportStream, stem: str) -> str:
    """The lines that load the files of an export as `rows`. stem: of files without a split."""
    if traces.splits is None:
        return f'rows = load_dataset("parquet", data_files="{stem}*.parquet", split="train")'
    # A split without a trace has no file.
    files = ", ".join(f'"{name}": "{name}*.parquet"' for name in sorted(traces.split_counts))
    training, _ = traces.stems(stem)
    return f'splits = load_dataset("parquet", data_files={{{files}}})\nrows = splits["{training}"]'


def training_script(traces: ExportStream, stem: str, *, trainer: str, settings: str) -> str:
    """How a trainer is started, as Markdown.

    stem: of files without a split. trainer: the class without ``Trainer``, such as ``SFT``.
    settings: members of its configuration, a line each.
    """
    lines = "".join(f"    {line}\n" for line in settings.splitlines())
    return f"""\
```python
from datasets import load_dataset
from trl import {trainer}Config, {trainer}Trainer

{loading(traces, stem)}
settings = {trainer}Config(
    output_dir="student",
    max_length=None,
{lines})
{trainer}Trainer("Qwen/Qwen3-VL-8B-Instruct", args=settings, train_dataset=rows).train()
```

Run it in this folder. Leave `max_length=None` in, or set what is said below: TRL's own 1,024 tokens
end before the first reply of most rows, and TRL then learns nothing from them without a word.
"""


def loads(folder: Path) -> str:
    """What TRL's own code reads in the first row of an export, in words; it is installed here.

    Raises ExportError where it cannot load the row.
    """
    try:
        return loaded_row(folder)
    except Exception as error:  # of TRL, datasets and pyarrow, which have no class alike
        raise ExportError(f"TRL cannot load {folder}: {error}") from error
