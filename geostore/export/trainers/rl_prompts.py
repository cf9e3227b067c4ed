"""The prompts of reinforcement learning: what a student is asked, without a teacher's word.

Each photo is asked about once under each recipe, however many traces have it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from geostore.conversation.messages import Message, opening_messages
from geostore.conversation.recipe import tool_names
from geostore.conversation.tool_session import tool_settings
from geostore.export.images import ExportedImage
from geostore.export.stream import ExportStream
from geostore.export.student.dialogue import Dialogue, Question, dialogues
from geostore.identity import sha256_hex
from geostore.records import Recipe, Sample


@dataclass(frozen=True, slots=True)
class RlPrompt:
    """A photo to be asked about under a recipe."""

    name: str
    """Unique in the store: the name of its traces without the rollout, ``12-5d2b2227``."""
    system: str | None
    """The system prompt with the tools written into it."""
    question: Question
    """The question with the photo."""
    photo: ExportedImage
    """The photo as the student is shown it."""
    photo_file: bytes
    """Its file as the dataset stores it, at full resolution, of which the tools cut."""
    photo_sha256: str
    """The hash of that file, in hex."""
    tools: tuple[str, ...]
    """The names of the tools that may be called; empty: none."""
    settings: str
    """What a `ToolSession` needs of the recipe, as `read_tool_settings` reads it."""
    dataset: str
    """The name of the photo's dataset."""
    sample: Sample
    """The photo's true place and its facts."""
    split: str | None
    """The split that it belongs to; None where the export has none."""


class RlPrompts:
    """The prompts of a stream's traces, in its order. Iterate over it once.

    Imported traces whose tools nobody knows well enough to run them are left out, and counted.
    """

    def __init__(self, traces: ExportStream) -> None:
        self._traces = traces
        self.traces = 0
        """Traces so far whose prompts came; several may have the same."""
        self.turn_limit = 1
        """The most responses that one of them with tools could have."""

    def __iter__(self) -> Iterator[RlPrompt]:
        seen: set[str] = set()
        for dialogue in dialogues(self._traces):
            trace = dialogue.exported.trace
            if not isinstance(trace.recipe, Recipe):
                why = "it was imported, and its file does not say how its tools worked"
                self._traces.unwritten.add(trace.name, "tools", why)
                continue
            self.traces += 1
            assert trace.turn_limit is not None  # every run's trace that ended has one
            if trace.recipe.tools:
                self.turn_limit = max(self.turn_limit, trace.turn_limit)
            name = trace.name.rpartition("-")[0]
            lengths = self._traces.lengths
            measures_traces = lengths is not None and lengths.kind == "rollout"
            if measures_traces:
                self._traces.count_row(dialogue)
            if name not in seen:
                seen.add(name)
                prompt = _prompt(name, trace.recipe, dialogue)
                if not measures_traces:
                    self._traces.count_row(replace(dialogue, steps=(prompt.question,)))
                yield prompt


def _prompt(name: str, recipe: Recipe, dialogue: Dialogue) -> RlPrompt:
    exported = dialogue.exported
    trace = exported.trace
    question = dialogue.steps[0]
    assert isinstance(question, Question)
    (photo,) = (part for part in question.parts if isinstance(part, ExportedImage))
    assert trace.photo is not None  # a trace with a response has one
    # The trace may have had one turn and say so in its question; a student has those of them all.
    *_, asked = opening_messages(recipe, trace.photo, last_turn=False)
    assert exported.photo_file is not None  # the images of such a format are embedded
    return RlPrompt(
        name=name,
        system=dialogue.system_with_tools,
        question=Question((photo, *_texts(asked))),
        photo=photo,
        photo_file=exported.photo_file,
        photo_sha256=sha256_hex(exported.photo_file),
        tools=tool_names(recipe),
        settings=tool_settings(recipe),
        dataset=trace.dataset.name,
        sample=trace.sample,
        split=exported.split,
    )


def _texts(message: Message) -> list[str]:
    return [part["text"] for part in message.value["content"] if part["type"] == "text"]
