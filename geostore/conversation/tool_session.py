"""Runs a student's tool calls as a teacher's are run: the environment of reinforcement learning.

The photo and the recipe decide everything. The same calls in the same order give the
sentences and the image bytes that the teacher of a trace got for them. It needs neither a
store nor a dataset.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass

import orjson

from geostore.conversation.call_objects import WrittenCall
from geostore.conversation.machine import Run
from geostore.conversation.messages import LAST_TURN
from geostore.conversation.recipe import tool_names
from geostore.conversation.toolbench import ToolBench
from geostore.errors import ImageError
from geostore.identity import sha256_hex
from geostore.imaging import DecodedPhotos
from geostore.records import ImageLimits, Recipe, SentImage, ToolCall
from geostore.tools import current_image_after, tool_schemas


@dataclass(frozen=True, slots=True)
class Observation:
    """What a student gets back for a call."""

    sentence: str
    """What was done, or why nothing was; the sentence that a teacher would read."""
    image: SentImage | None
    """The image, as it is sent; None where the call gave none."""
    call: ToolCall
    """The call as a store would keep it, with its image's number and its flags."""


class ToolSession:
    """The tools of one conversation about one photo. Give it the calls in their order.

    photo: the photo's file as its dataset stores it, at full resolution.
    recipe: what decides tools, frame, sizes and the number of calls in a turn.
    sha256: of the photo's file, to be compared; None: it is not known.
    Raises ImageError where the photo is another one or does not decode. Not for several
    threads at once.
    """

    def __init__(self, photo: bytes, recipe: Recipe, *, sha256: str | None = None) -> None:
        if sha256 is not None and sha256_hex(photo) != sha256:
            raise ImageError(
                f"the photo is not the one of the export: its sha256 is not {sha256}",
                kind="changed",
            )
        decoded = DecodedPhotos()
        self.recipe = recipe
        """What decides about the tools."""
        self.calls: list[ToolCall] = []
        """The calls so far."""
        self.photo = decoded.prepare(photo, recipe.limits)
        """The photo as the student is shown it: image 0."""
        self._data = photo
        self._images = [self.photo.facts]
        self._bench = ToolBench(decoded)
        self._in_turn: Counter[int] = Counter()

    def call(
        self, name: str, arguments: str, *, turn: int, is_last: bool = False, tagged: bool = True
    ) -> Observation:
        """Run a call, and remember it. Never raises for what a student wrote.

        arguments: JSON text. name "" where it cannot be read; `arguments` is then all its text.
        turn: the number of the response that makes the call, from 1; calls past the recipe's
        limit in one turn get a refusal. is_last: whether the sentence ends with the request for
        an answer, because only one more response can follow. tagged: whether the call stood in
        its tags, which a call that cannot be read is told.
        """
        index = self._in_turn[turn]
        self._in_turn[turn] += 1
        step = Run(
            turn=turn,
            call_index=index,
            written=WrittenCall(name, arguments, tagged=tagged),
            refused=index >= self.recipe.max_calls_per_turn,
            images=tuple(self._images),
            current_image=current_image_after(self.calls),
            earlier=tuple(self.calls),
        )
        call, image = self._bench.run(step, self.recipe, self._data)
        self.calls.append(call)
        if call.image is not None:
            self._images.append(call.image)
        sentence = call.observation or ""
        return Observation(f"{sentence}\n{LAST_TURN}" if is_last else sentence, image, call)


def tool_settings(recipe: Recipe) -> str:
    """What a session needs of a recipe, as JSON, for a row of a data set; `read_tool_settings`
    reads it."""
    settings = {
        "tools": tool_names(recipe),
        "protocol": recipe.protocol,
        "bbox_frame": recipe.bbox_frame,
        "max_calls_per_turn": recipe.max_calls_per_turn,
        "limits": asdict(recipe.limits),
    }
    return orjson.dumps(settings).decode()


def read_tool_settings(settings: str) -> Recipe:
    """A recipe for a session, without the prompts. settings: of `tool_settings`."""
    values = orjson.loads(settings)
    return Recipe(
        model="",
        system_prompt="",
        user_prompt="",
        tools=tool_schemas(values["bbox_frame"], values["tools"]),
        protocol=values["protocol"],
        bbox_frame=values["bbox_frame"],
        limits=ImageLimits(**values["limits"]),
        temperature=None,
        max_tokens=1,
        max_calls_per_turn=values["max_calls_per_turn"],
    )
