"""Messages as TRL reads them: each a role and a list of texts and places for images.

Results of calls are messages of the user, and calls stay text in the teacher's own words,
because TRL fills no image into a message of a tool. The tools stand in the system
prompt, because the trainer gives none to the template of a model that sees images.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from geostore.export.dialogue import Dialogue, Part, Question, Reply
from geostore.export.placeholders import escape_placeholders

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


def training_script(stem: str, setting: str) -> str:
    """How SFTTrainer is started, as Markdown. stem: of the files; setting: what is learnt."""
    return f"""\
```python
from datasets import load_dataset
from trl import SFTConfig, SFTTrainer

rows = load_dataset("parquet", data_files="{stem}*.parquet", split="train")
settings = SFTConfig(
    output_dir="student",
    {setting}
    max_length=None,
)
SFTTrainer("Qwen/Qwen3-VL-8B-Instruct", args=settings, train_dataset=rows).train()
```

Leave `max_length=None` in. Without it TRL cuts a row after 1,024 tokens, which is
before the first response of most rows, and then learns nothing from it without a word.
The images are decoded as they are read, and `packing` has to stay off.
"""
