"""What the teacher is asked: prompts, tools, sampling, and the recipe they make.

Everything that changes an answer is in the recipe and so in its hash; what only
changes how long a conversation may go on (the turn limit) or where the server
stands is not.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from geostore.conversation.families import Family, family_of
from geostore.errors import RecipeError
from geostore.identity import content_hash
from geostore.records import BboxFrame, ImageLimits, ImportedRecipe, Protocol, Recipe
from geostore.tools import DEFAULT_TOOLS, tool_schemas

ProtocolChoice = Literal["auto", "text", "native"]
FrameChoice = Literal["auto", "pixel", "norm1000", "norm1000_yx"]

# Members of a request body that the recipe's own fields decide. A value for one of them in the
# extra body would be replaced in silence, or stand beside ours.
_OWN_MEMBERS = {
    "model": "--model",
    "messages": "--system-role for their roles; the words are the recipe's",
    "temperature": "--temperature",
    "max_tokens": "--max-tokens",
    "tools": "--tools, --no-tools or --enable-tool",
    "seed": "--seed",
}
_TOKEN_LIMIT = (
    "the token limit has options of its own: --max-tokens for its number, --token-limit-name "
    "max_completion_tokens for its name"
)
_UNSUPPORTED_MEMBERS = {
    "stream": "use --stream; a reply is stored whole either way",
    "stream_options": "use --transport",
    "n": "use --rollouts instead",
    "max_completion_tokens": _TOKEN_LIMIT,
}

PHOTO_SIZE = "{photo_size}"
_USUAL_TEMPERATURE = 0.7

_ROLE = (
    "You are an expert at finding out where on Earth a photo was taken. "
    "You look closely, weigh the evidence, and always commit to one place."
)

_TEXT_CALLS = """

# Tools

You may call one or more of these functions to look closer. Their signatures:
<tools>
{schemas}
</tools>

To call a function, write a JSON object with its name and its arguments inside \
<tool_call></tool_call> tags:
<tool_call>
{{"name": <function name>, "arguments": <object with the arguments>}}
</tool_call>
The result comes back inside <tool_response></tool_response> tags."""

_QUESTION = """Where was this photo taken?

Look for clues of every kind: architecture and building materials; vegetation, soil and terrain; \
text and the language it is written in; road signs and road markings; vehicles, licence plates \
and the side they drive on; climate and light; clothing and other traces of culture; landmarks."""

_WITH_TOOLS = """

The photo is image 0, {photo_size} pixels as you see it. {frame} A zoom is cut from the photo at \
its full resolution, which is higher than what you see now, so small text and distant detail \
become readable. Every image a tool gives back has the next number. Think step by step, use the \
tools where they help, and answer once you are sure enough."""

_ANSWER = """

End with your best estimate in decimal degrees, written exactly so:
<answer>\\boxed{latitude, longitude}</answer>"""

FRAME_SENTENCES: Mapping[BboxFrame, str] = {
    "pixel": "Boxes are [x1, y1, x2, y2] in pixels of the image you name, as you see it.",
    "norm1000": (
        "Boxes are [x1, y1, x2, y2] on a scale from 0 to 1000: 0 is the left or top edge of the "
        "image, 1000 the right or bottom edge."
    ),
    "norm1000_yx": (
        "Boxes are [y1, x1, y2, x2] on a scale from 0 to 1000, y first: 0 is the top or left edge "
        "of the image, 1000 the bottom or right edge."
    ),
}


@dataclass(frozen=True, slots=True)
class RecipeChoices:
    """What a user decides about a recipe; the model's name decides the rest."""

    tools: bool = True
    """Whether tools are offered at all."""

    extra_tools: tuple[str, ...] = ()
    """Tools that are offered beside the default ones; their order makes no difference."""

    protocol: ProtocolChoice = "auto"
    """How calls are written; ``auto``: as the model's family does."""

    bbox_frame: FrameChoice = "auto"
    """The frame of the teacher's boxes; ``auto``: the one of the model's family."""

    temperature: float | Literal["none", "auto"] = "auto"
    """Sampling temperature, 0 to 2; ``none``: none is sent.

    ``auto``: 0.7, but none where the model's family takes none.
    """

    max_tokens: int = 2048
    """Tokens of one response, at least 1."""

    seed: int | None = None
    """Sampling seed that is sent to the teacher; None: none is sent."""

    max_pixels: int | None = None
    """Greatest area of an image as sent, in pixels, from 3136 (56 x 56); None: the family's."""

    image_multiple: int | None = None
    """Sides of images as sent are multiples of this, 1 to 56 pixels.

    None: the family's where boxes are in pixels, else 1.
    """

    zoom_side: int | None = None
    """A zoom is enlarged to this short side, 1 to 4096 pixels; None: 448."""

    reasoning_field: Literal["auto", "reasoning", "reasoning_content", "none"] = "auto"
    """Where a turn's reasoning, of a field or of parts, goes back; ``auto``: where it came from."""

    extra_body: Mapping[str, Any] = field(default_factory=dict)
    """More members of each request's body; none that a field here decides."""


def make_recipe(model: str, choices: RecipeChoices | None = None) -> Recipe:
    """The recipe for a model; what is left to ``auto`` or None follows from its name.

    choices: None: the defaults.
    Without tools, protocol and frame decide nothing and are set to fixed values,
    so that they do not make two recipes of one.
    Raises RecipeError where a value is out of range or `extra_body` names a
    member that a field of the recipe decides.
    """
    choices = choices or RecipeChoices()
    if not model.strip():
        raise RecipeError("no model named; pass --model NAME as the server knows it")
    if choices.max_tokens < 1:
        raise RecipeError(f"max tokens {choices.max_tokens} is out of range; at least 1")
    if choices.extra_tools and not choices.tools:
        raise RecipeError("tools are switched off; enable none, or leave them on")
    extra_body = _checked_extra_body(choices.extra_body)
    family = family_of(model)
    frame: BboxFrame = family.frame if choices.bbox_frame == "auto" else choices.bbox_frame
    protocol: Protocol = family.protocol if choices.protocol == "auto" else choices.protocol
    if not choices.tools:
        frame, protocol = "norm1000", "text"
    more = sorted(set(choices.extra_tools) - set(DEFAULT_TOOLS))
    schemas = tool_schemas(frame, (*DEFAULT_TOOLS, *more)) if choices.tools else ()
    return Recipe(
        model=model,
        system_prompt=_system_prompt(schemas if protocol == "text" else ()),
        user_prompt=_user_prompt(frame if choices.tools else None),
        tools=schemas,
        protocol=protocol,
        bbox_frame=frame,
        limits=_limits(frame, family, choices),
        temperature=_temperature(choices.temperature, family),
        max_tokens=choices.max_tokens,
        seed=choices.seed,
        extra_body=extra_body,
        reasoning_field=choices.reasoning_field,
    )


def recipe_hash(recipe: Recipe | ImportedRecipe) -> str:
    """Sha256 in hex of the canonical JSON of all the recipe's fields.

    Those of an imported one stand under a member of their own, so that it never
    has the hash of a recipe that was really asked.
    """
    if isinstance(recipe, ImportedRecipe):
        return content_hash({"imported": asdict(recipe)})
    values = asdict(recipe)
    # Left to auto it says nothing, and a recipe has the hash that it had before the field was.
    if recipe.reasoning_field == "auto":
        del values["reasoning_field"]
    return content_hash(values)


def tool_names(recipe: Recipe) -> tuple[str, ...]:
    """The names of the tools the teacher may call, in order."""
    return tuple(str(schema["function"]["name"]) for schema in recipe.tools)


def _temperature(choice: float | Literal["none", "auto"], family: Family) -> float | None:
    if choice == "auto":
        return _USUAL_TEMPERATURE if family.takes_temperature else None
    if choice == "none":
        return None
    if not 0 <= choice <= 2:
        raise RecipeError(f"temperature {choice} is out of range; it goes from 0 to 2, or is none")
    return float(choice)


def _limits(frame: BboxFrame, family: Family, choices: RecipeChoices) -> ImageLimits:
    usual = ImageLimits()
    # Only where boxes are in pixels must the size sent be the size the server sees.
    in_pixels = frame == "pixel"
    usual_factor = family.factor if in_pixels else 1
    factor = usual_factor if choices.image_multiple is None else choices.image_multiple
    zoom_side = usual.zoom_side if choices.zoom_side is None else choices.zoom_side
    max_pixels = family.max_pixels if choices.max_pixels is None else choices.max_pixels
    if max_pixels < usual.min_pixels:
        raise RecipeError(
            f"max pixels {max_pixels} is too small; at least {usual.min_pixels} (56 x 56)"
        )
    if not 1 <= factor <= 56:
        raise RecipeError(f"image multiple {factor} is out of range; it goes from 1 to 56 pixels")
    if not 1 <= zoom_side <= 4096:
        raise RecipeError(f"zoom side {zoom_side} is out of range; it goes from 1 to 4096 pixels")
    return ImageLimits(
        factor=factor,
        min_pixels=min(family.min_pixels, max_pixels) if in_pixels else usual.min_pixels,
        max_pixels=max_pixels,
        min_side=28 if 28 in (family.factor, factor) else 32,
        zoom_side=zoom_side,
        max_side=family.max_side if in_pixels else None,
    )


def tools_section(schemas: Sequence[Mapping[str, Any]]) -> str:
    """What a system prompt of the text protocol ends in: the tools, and how to call them."""
    lines = "\n".join(json.dumps(schema, ensure_ascii=False) for schema in schemas)
    return _TEXT_CALLS.format(schemas=lines)


def _system_prompt(schemas: Sequence[Mapping[str, Any]]) -> str:
    return _ROLE + tools_section(schemas) if schemas else _ROLE


def _user_prompt(frame: BboxFrame | None) -> str:
    if frame is None:
        return _QUESTION + _ANSWER
    return _QUESTION + _WITH_TOOLS.replace("{frame}", FRAME_SENTENCES[frame]) + _ANSWER


def _checked_extra_body(extra: Mapping[str, Any]) -> dict[str, Any]:
    for name in extra:
        if name in _OWN_MEMBERS:
            option = _OWN_MEMBERS[name]
            raise RecipeError(f"extra body member {name!r} has an option of its own; use {option}")
        if name in _UNSUPPORTED_MEMBERS:
            raise RecipeError(f"extra body member {name!r}: {_UNSUPPORTED_MEMBERS[name]}")
    return dict(extra)
