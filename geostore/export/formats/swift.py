"""Format ``swift``: conversations for ms-swift, as JSONL in its own roles.

Calls are ``tool_call`` messages and their results ``tool_response``, so that ms-swift
writes both, and the tools, as the student's own template does. A reply that cannot be said
in prose and calls stays as the teacher wrote it, and its results come as a user's message.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import orjson

from geostore.errors import ExportError
from geostore.export.files.folder import ExportFolder
from geostore.export.files.rows import json_lines
from geostore.export.images import ExportedImage
from geostore.export.options import FormatRules
from geostore.export.stream import ExportStream
from geostore.export.student.dialogue import (
    Dialogue,
    Question,
    Reply,
    Step,
    dialogues,
    with_placeholders,
)
from geostore.export.student.placeholders import escape_placeholders
from geostore.export.trainers.swift_training import SCRIPT, settings_guide, write_script
from geostore.records import Recipe

RULES = FormatRules(
    ("files",),
    frozenset({"reasoning", "mask_turns", "shard_size"}),
    "ms-swift",
)

_PATCHES = (28, 32)
"""The sides of what Qwen2.5-VL and Qwen3-VL read as one: each rounds an image to whole patches."""

Message = dict[str, Any]


def write_swift(traces: ExportStream, folder: ExportFolder) -> int:
    """Write a line per trace and return how many."""
    count = 0
    with json_lines(folder, "traces", traces.options) as lines:
        for dialogue in dialogues(traces):
            dialogue = _until_last_learnt(dialogue)
            row = swift_row(dialogue, traces)
            lines.write(row, dialogue.exported.split, dialogue.exported.trace)
            traces.count_row(dialogue)
            count += 1
    write_script(folder, traces, lines, "swift sft")
    return count


def swift_row(
    dialogue: Dialogue, traces: ExportStream, *, last_as_text: bool = False
) -> dict[str, Any]:
    """The row of a dialogue. Every row has the same members, because ms-swift reads columns.

    With masks each reply says whether it is learnt.
    last_as_text: whether calls of the last reply, which were not run, stay in its words.
    """
    with_loss = bool(traces.options.mask_turns)
    system, tools = _system_and_tools(dialogue)
    images = dialogue.images
    messages = [*system, *_of_steps(dialogue.steps, with_loss, last_as_text)]
    placed = sum(message["content"].count("<image>") for message in messages)
    if placed != len(images):
        raise ExportError(
            f"{dialogue.exported.trace.name}: {placed} places for {len(images)} images"
        )
    return {
        "messages": messages,
        "tools": tools,
        "images": [image.path for image in images],
        "chat_template_kwargs": _limits_of_student(dialogue, traces) or pixel_limits(images),
        "trace": dialogue.exported.trace.name,
    }


def _until_last_learnt(dialogue: Dialogue) -> Dialogue:
    """The dialogue without what stands behind the last reply that is learnt: ms-swift learns the
    token that ends a row in any case."""
    learnt = [isinstance(step, Reply) and step.learn for step in dialogue.steps]
    return dialogue.until(len(learnt) - learnt[::-1].index(True))


def _system_and_tools(dialogue: Dialogue) -> tuple[list[Message], str]:
    """The system message, if there is one, and the tools as JSON."""
    system, tools = dialogue.system, orjson.dumps(dialogue.tools).decode()
    if escape_placeholders(tools) != tools:
        # ms-swift would take what stands in a description for an image; only text can be escaped.
        system, tools = dialogue.system_with_tools, "[]"
    return [] if system is None else [_message("system", escape_placeholders(system))], tools


def _limits_of_student(dialogue: Dialogue, traces: ExportStream) -> dict[str, int] | None:
    """The areas that the student itself sees; None where its images have to stay as they are."""
    options, recipe = traces.options, dialogue.exported.trace.recipe
    boxes_as_sent = isinstance(recipe, Recipe) and recipe.tools and recipe.bbox_frame == "pixel"
    if options.bbox_frame != "pixel" and (options.student_pixels is None or boxes_as_sent):
        return None
    assert traces.for_student is not None  # formats with a guide have one
    student = traces.for_student.student
    return {"max_pixels": student.max_pixels, "min_pixels": student.min_pixels}


def pixel_limits(images: Iterable[ExportedImage]) -> dict[str, int]:
    """Bounds on an image's area within which each keeps its size, up to whole patches.

    Boxes in pixels are of the images as they are here, so the trainer must not resize them.
    """
    sides = [(image.facts.width, image.facts.height) for image in images]
    areas = [
        (rounded(width, patch), rounded(height, patch))
        for width, height in sides
        for patch in _PATCHES
        for rounded in (_down, _up)
    ]
    return {
        "max_pixels": max(width * height for width, height in areas),
        "min_pixels": min(width * height for width, height in areas),
    }


def _of_steps(steps: Sequence[Step], with_loss: bool, last_as_text: bool) -> Iterator[Message]:
    with_roles = True
    for step in steps:
        if isinstance(step, Reply):
            with_roles = step.fits_calls and not (last_as_text and step is steps[-1])
            loss = {"loss": step.learn} if with_loss else {}
            yield from ({**message, **loss} for message in _of_reply(step, with_roles))
        elif isinstance(step, Question) or not with_roles:
            yield _message("user", with_placeholders(step.parts))
        else:
            for result in step.results:
                yield _message("tool_response", with_placeholders(result.on_lines))


def _of_reply(reply: Reply, with_roles: bool) -> Iterator[Message]:
    """A reply: its words where there are any, and then its calls."""
    if not with_roles or not reply.calls:
        yield _message("assistant", escape_placeholders(reply.text))
        return
    words = (reply.thought + (reply.prose or "")).rstrip()
    if words:
        # ms-swift joins words and calls without anything between them.
        yield _message("assistant", f"{escape_placeholders(words)}\n")
    for call in reply.calls:
        yield _message("tool_call", call.text)


def _message(role: str, content: str) -> Message:
    return {"role": role, "content": content}


def _down(side: int, patch: int) -> int:
    return max(patch, side // patch * patch)


def _up(side: int, patch: int) -> int:
    return -(-side // patch) * patch


def guide(traces: ExportStream) -> str:
    """How ms-swift loads it."""
    masked = _LOSS if traces.options.mask_turns else ""
    return f"""\
Each line of the JSONL files is a conversation for [ms-swift](https://github.com/modelscope/ms-swift)
4.6: `messages` (roles system, user, assistant, tool_call, tool_response), `tools`, `images`, and
`chat_template_kwargs`. `{SCRIPT}` starts a training of it.

{settings_guide()}{masked}"""


_LOSS = """\
- `loss` in a message says whether it is learnt; it goes before `--loss_scale`. A conversation ends
  with the last reply that is learnt.
"""
