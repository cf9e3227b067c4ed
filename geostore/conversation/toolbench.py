"""Runs the tool calls of a conversation on pixels and writes down their results.

A call that cannot be run, for whatever reason, becomes a row with a sentence for
the teacher; it never ends a trace.
"""

from __future__ import annotations

from geostore.conversation.machine import Run
from geostore.conversation.recipe import tool_names
from geostore.imaging import DecodedPhotos
from geostore.records import Recipe, SentImage, ToolCall
from geostore.tools import BadCall, Operation, apply, derive, observation, present, understand
from geostore.tools.frames import with_frame_flags

TOOL_CRASH = "tool_crash"
"""The error kind of a call that was understood and failed while its pixels were computed."""

IMAGE_LIMIT = "image_limit"
"""The error kind of a call that would give one image more than a conversation may hold."""


class ToolBench:
    """Runs calls. May be used by several threads at once.

    decoded: where the photos' pixels are kept between the calls of a trace.
    max_images: images that a conversation may hold, the photo included; calls past
    it are answered with a sentence. None: as many as its turns add.
    """

    def __init__(
        self, decoded: DecodedPhotos | None = None, *, max_images: int | None = None
    ) -> None:
        self.decoded = decoded or DecodedPhotos()
        self._max_images = max_images

    def run(self, step: Run, recipe: Recipe, photo: bytes) -> tuple[ToolCall, SentImage | None]:
        """The row of a call, and the image it gave; None where it gave none.

        photo: stored bytes. Raises ImageError where the photo does not decode.
        """
        call, image = self._run(step, recipe, photo)
        # The frame, the images and the box as it was written are all at hand only here.
        return with_frame_flags(call, recipe.bbox_frame, step.images), image

    def _run(self, step: Run, recipe: Recipe, photo: bytes) -> tuple[ToolCall, SentImage | None]:
        if step.refused:
            most = recipe.max_calls_per_turn
            sentence = f"Not run: at most {most} tool calls are run in one turn, so call again."
            return _bad(step, BadCall("too_many_calls", sentence, None)), None
        if not step.written.name:
            sentence = _how_to_call(recipe, tagged=step.written.tagged)
            return _bad(step, BadCall("malformed_call", sentence, None)), None
        understood = understand(
            step.written.name,
            step.written.raw_arguments,
            enabled=tool_names(recipe),
            images=step.images,
            current_image=step.current_image,
            frame=recipe.bbox_frame,
            earlier=step.earlier,
        )
        if isinstance(understood, BadCall):
            return _bad(step, understood), None
        # Only now: what is wrong with a call is said first, because that can be mended.
        if self._max_images is not None and len(step.images) >= self._max_images:
            bad = BadCall(IMAGE_LIMIT, _no_more_images(self._max_images), understood.source_index)
            return _bad(step, bad), None
        full = self.decoded.get(photo)
        try:
            source = derive(full, step.earlier, understood.source_index)
            result = apply(understood, source)
            image = present(result, understood.name, recipe.limits, with_pixels=True)
        except (MemoryError, OSError, ValueError, ArithmeticError) as error:
            sentence = f"The tool failed on this call ({type(error).__name__}): try another."
            return _bad(step, BadCall(TOOL_CRASH, sentence, understood.source_index)), None
        return _good(step, recipe, understood, image), image


def _no_more_images(most: int) -> str:
    images = "the photo alone" if most == 1 else f"at most {most} images"
    return (
        f"Not run: this conversation can show {images}, so no more can follow. "
        "Answer from what you have seen."
    )


def _how_to_call(recipe: Recipe, *, tagged: bool) -> str:
    """For a call that cannot be read: what is wrong, and how a call is written."""
    if recipe.protocol == "native":
        return "That call names no tool: call one by its name, with arguments."
    if not tagged:
        return (
            "That looks like a tool call, but it cannot be read: write it as "
            '<tool_call>{"name": ..., "arguments": {...}}</tool_call>.'
        )
    return (
        "The text inside <tool_call></tool_call> is not a JSON object with "
        '"name" and "arguments": write the call again.'
    )


def _good(step: Run, recipe: Recipe, operation: Operation, image: SentImage) -> ToolCall:
    index = len(step.images)
    sentence = observation(
        operation, image, image_index=index, images=step.images, frame=recipe.bbox_frame
    )
    repaired = {"repaired"} if step.written.repaired else set()
    return ToolCall(
        turn=step.turn,
        call_index=step.call_index,
        name=operation.name,
        raw_arguments=step.written.raw_arguments,
        arguments=operation.arguments,
        source_index=operation.source_index,
        box=operation.box,
        angle=operation.angle,
        success=True,
        error_kind=None,
        flags=tuple(sorted(repaired | set(operation.flags))),
        observation=sentence,
        image=image.facts,
        image_index=index,
    )


def _bad(step: Run, bad: BadCall) -> ToolCall:
    return ToolCall(
        turn=step.turn,
        call_index=step.call_index,
        name=step.written.name,
        raw_arguments=step.written.raw_arguments,
        arguments=None,
        source_index=bad.source_index,
        box=None,
        angle=None,
        success=False,
        error_kind=bad.error_kind,
        flags=("repaired",) if bad.repaired or step.written.repaired else (),
        observation=bad.sentence,
        image=None,
        image_index=None,
    )
