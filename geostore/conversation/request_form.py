"""The form of a request: how the same conversation is written for servers that differ.

A recipe says what the teacher is asked. Servers differ in how they take it: under which
name the token limit stands, which role the system prompt has, what an assistant message
without words looks like. The form says that, and is no part of a recipe. The turn's row
keeps the form in which its request went out, so that the request can be written again.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Any, Literal, get_args

import orjson

from geostore.identity import canonical_text
from geostore.records import LimitKind, Recipe, Turn

TokenLimitName = Literal["max_tokens", "max_completion_tokens"]
SystemRole = Literal["system", "developer", "user"]
ImagesPlace = Literal["in_tool", "after_assistant"]
EmptyContent = Literal["null", "empty", "left_out", "words"]
ReasoningName = Literal["reasoning", "reasoning_content", "none"]


@dataclass(frozen=True, slots=True)
class RequestForm:
    """How a request is written; every field at its default is the usual form."""

    token_limit: TokenLimitName | None = None
    """The name of the token limit; None: the one that the model's family takes."""

    no_temperature: bool = False
    """Whether the recipe's temperature is left out."""

    system_role: SystemRole | None = None
    """The role of the system prompt; ``user``: it begins the first user message. None: system."""

    images: ImagesPlace | None = None
    """Where the images of native calls stand; None: in a user message after the tool messages.

    ``in_tool``: in the tool messages, as parts of their content. ``after_assistant``: in
    a user message, with a short assistant message between it and the tool messages.
    """

    empty_content: EmptyContent | None = None
    """The content of an assistant message without words; ``words``: a text that says so.

    None: null beside calls, and an empty text without.
    """

    reasoning: ReasoningName | None = None
    """Where reasoning of a field or of parts stands; ``none``: nowhere. None: where it came."""

    without: tuple[str, ...] = ()
    """Sorted names of members of assistant messages and their calls that are left out.

    ``thinking`` leaves out the thinking parts of a content, which becomes one text.
    """

    images_left_out: LimitKind | None = None
    """The limit for which the newest images were left out (`conversation.limits`); None: all
    images were sent. Only this says something of one turn alone, and not of the server."""

    @classmethod
    def of(cls, turn: Turn) -> RequestForm:
        """The form in which a turn's request went out."""
        return USUAL_FORM if turn.request_form is None else cls.of_json(turn.request_form)

    def to_json(self) -> str | None:
        """The fields that are not usual, as canonical JSON; None for the usual form."""
        if self == USUAL_FORM:
            return None
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        usual = {field.name: field.default for field in fields(self)}
        return canonical_text({k: v for k, v in values.items() if v != usual[k]})

    @classmethod
    def of_json(cls, text: str | None) -> RequestForm:
        """The form that `to_json` wrote. Raises ValueError or TypeError for anything else."""
        if text is None:
            return USUAL_FORM
        values: dict[str, Any] = orjson.loads(text)
        if "without" in values:
            values["without"] = tuple(map(str, values["without"]))
        form = cls(**values)
        for name, kind in _KINDS.items():
            if getattr(form, name) not in (None, *get_args(kind)):
                raise ValueError(f"{name} {getattr(form, name)!r} of a request's form")
        return form

    def under(self, recipe: Recipe) -> RequestForm:
        """The form under a recipe, which may decide where reasoning stands."""
        if recipe.reasoning_field == "auto":
            return self
        return replace(self, reasoning=recipe.reasoning_field)


_KINDS = {
    "token_limit": TokenLimitName,
    "system_role": SystemRole,
    "images": ImagesPlace,
    "empty_content": EmptyContent,
    "reasoning": ReasoningName,
    "images_left_out": LimitKind,
}

USUAL_FORM = RequestForm()
"""The form that most servers take."""
