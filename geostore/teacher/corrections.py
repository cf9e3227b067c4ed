"""Reads from a refusal which form of request the server takes instead.

Servers that speak OpenAI's API refuse different things in it, and say so in words. The
first refusal of a kind is answered with the same request in another form; later requests
of the run are written in that form from the start. Each value of each field is tried once
a run, so a server whose words are misread ends as one that refuses, not in a loop.

Sources: OpenAI's and Azure's reasoning models (token limit, temperature, roles), Mistral,
Groq, Cerebras and Fireworks (members of messages), Moonshot and Anthropic (empty messages),
the chat templates of Gemma and Mistral, and the validation messages of vLLM and Pydantic.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields, replace
from typing import Any

from geostore.conversation.request_form import EmptyContent, RequestForm, SystemRole
from geostore.teacher.server_errors import ServerError

_STATUSES = frozenset({400, 422, 500})
"""500 is what a server gives where a chat template raises the error."""

_DOES_NOT_TAKE = re.compile(
    r"unsupported|unrecogni[sz]ed|unexpected|unknown|extra(neous)? (input|field|param|propert)"
    r"|extra_forbidden|additional propert|cannot find|no such (field|param)|deprecated"
    r"|(not|n't) (be )?(a )?(support|permit|allow|accept|recogni|valid (param|field|key|prop))"
    r"|not match any|invalid (content )?(type|part)|\buse\b.{1,5}max_",
    re.IGNORECASE,
)
"""Says that a name should not be there. That a value is too large is no such thing."""

_NAME = re.compile(
    r"""[A-Za-z]\w*_\w+|(?<=['"`.])[A-Za-z]\w*(?=['"`.:,\s]|\Z)|(?<=: )[A-Za-z]\w*(?=[.,;)]|\Z)"""
)
"""A name of a member. A lone word is one only where quotes or dots make it one."""

_TEMPERATURE_IS_FIXED = re.compile(
    r"temperature\b(?!.{0,80}\b(between|range|less|greater|at (most|least)))"
    r".{0,60}(only|must be 1\b|set to 1\b|not support|unsupported|deprecated|not (permit|allow))",
    re.IGNORECASE | re.DOTALL,
)
_SYSTEM_ROLE = re.compile(
    r"""\b(system|developer)['"`]?\s?(role|message|instruction|prompt)s?\b.{0,30}"""
    r"(not\b|n't\b|unsupported|invalid)"
    r"""|['"`](system|developer)['"`] (role )?(is )?(not\b|unsupported|invalid|unknown)"""
    r"""|(not|n't) support.{0,15}['"`](system|developer)['"`]"""
    r"|(unsupported|invalid|unknown|unexpected).{0,30}\brole\b.{0,30}(system|developer)"
    r"|only user,? (and|or|assistant)|roles? must alternate|unexpected message role",
    re.IGNORECASE | re.DOTALL,
)
_AFTER_TOOL = re.compile(
    r"(user\b.{0,40}\bafter\b.{0,40}\btool|after\b.{0,20}\btool\b.{0,60}\bassistant"
    r"|tool\b.{0,40}followed by.{0,40}assistant|roles? must alternate)",
    re.IGNORECASE | re.DOTALL,
)
_TOOL_CONTENT = re.compile(
    r"\btool\b.{0,200}(image|content|string|text|multi-?modal)"
    r"|(image|content|multi-?modal).{0,200}\btool\b|valid string|must be a string",
    re.IGNORECASE | re.DOTALL,
)
_OF_A_MESSAGE = re.compile(r"\b(contents?|messages?|assistant)\b", re.IGNORECASE)
_EMPTY = re.compile(
    r"(must|can|may|should|is|are)\s?(not|n't) (be )?empty|non-?\s?empty"
    r"|empty (content|message|text)"
    r"|(content|message)\b.{0,40}\bis empty|at least (1|one) (character|item|element)"
    r"|either (a )?('|`|\")?content.{0,30}tool_calls|non-whitespace",
    re.IGNORECASE | re.DOTALL,
)
_NULL = re.compile(
    r"valid string|must be (a |of type )?.?string|expected (a |an )?.?(string|array)|NoneType"
    r"|\bnull\b|none is not an allowed|content\b.{0,40}(field required|is (a )?required|missing)"
    r"|(required|missing)\b.{0,40}\bcontent\b",
    re.IGNORECASE | re.DOTALL,
)
_MISSING_REASONING = re.compile(
    r"(reasoning(?:_content)?)\b.{0,60}(missing|required|must be (passed|sent|provided|included))"
    r"|(missing|require).{0,40}\b(reasoning(?:_content)?)\b",
    re.IGNORECASE | re.DOTALL,
)

_INSTEAD_OF_EMPTY: tuple[EmptyContent, ...] = ("null", "left_out", "words")
_INSTEAD_OF_NULL: tuple[EmptyContent, ...] = ("empty", "words")


@dataclass(frozen=True, slots=True)
class Correction:
    """Another form, after a refusal."""

    form: RequestForm
    """The form to ask in."""

    what: str
    """What requests have from now on, for people; empty where that was said before."""

    def sentence(self, refusal: str) -> str:
        """What a person should read of it, with the server's words; empty where nothing is new."""
        if not self.what:
            return ""
        return (
            f"the server takes requests in another form: with {self.what}, from now on ({refusal})"
        )


class Corrections:
    """The form of a run's requests, as far as the server has taught it.

    form: to begin with.
    """

    def __init__(self, form: RequestForm) -> None:
        self.form = form
        self._tried: set[tuple[str, Any]] = set()

    def correct(
        self, error: ServerError, status: int, used: RequestForm, is_other: Callable[..., bool]
    ) -> Correction | None:
        """What to do about a refused request; None where no other form would help.

        used: its form. is_other: whether the request differs in a form that it is given.
        Where another refusal has changed the form meanwhile, the request is asked in that.
        """
        if status not in _STATUSES:
            return None
        candidates = list(_candidates(used, error.words))
        if candidates and used != self.form and is_other(self.form):
            return Correction(self.form, "")
        for candidate in candidates:
            changed = _change(used, candidate.form)
            if changed not in self._tried and is_other(candidate.form):
                self._tried |= {changed, (changed[0], getattr(used, changed[0]))}
                # What other requests taught meanwhile stays.
                self.form = replace(self.form, **{changed[0]: changed[1]})
                return Correction(self.form, candidate.what)
        return None


def _other_roles(used: RequestForm, words: str) -> tuple[SystemRole, ...]:
    if used.system_role == "developer":
        return ("system", "user")
    if re.search(r"developer\b(?!.{0,40}(not|n't)\b)", words, re.IGNORECASE | re.DOTALL):
        return ("developer", "user")
    return ("user",)


def _change(used: RequestForm, form: RequestForm) -> tuple[str, Any]:
    """The field in which two forms differ, and its new value."""
    return next(
        (field.name, getattr(form, field.name))
        for field in fields(form)
        if getattr(form, field.name) != getattr(used, field.name)
    )


def _candidates(used: RequestForm, words: str) -> Iterator[Correction]:
    """Forms that a refusal in these words may ask for, the likeliest first."""
    for form, what in _suggested(used, words):
        if form != used:
            yield Correction(form, what)


def _suggested(used: RequestForm, words: str) -> Iterator[tuple[RequestForm, str]]:
    refuses_name = _DOES_NOT_TAKE.search(words) is not None
    names = dict.fromkeys(_NAME.findall(words)) if refuses_name else {}
    if "max_tokens" in names:
        limit = replace(used, token_limit="max_completion_tokens")
        yield limit, "the token limit as max_completion_tokens (--token-limit-name)"
    if "max_completion_tokens" in names:
        limit = replace(used, token_limit="max_tokens")
        yield limit, "the token limit as max_tokens (--token-limit-name)"
    if _TEMPERATURE_IS_FIXED.search(words) or "temperature" in names:
        yield replace(used, no_temperature=True), "no temperature (--temperature none)"
    if _AFTER_TOOL.search(words):
        yield replace(used, images="in_tool"), "images inside the tool messages"
    if _AFTER_TOOL.search(words) or (used.images == "in_tool" and _TOOL_CONTENT.search(words)):
        what = "a short assistant message between tool messages and images"
        yield replace(used, images="after_assistant"), what
    if _SYSTEM_ROLE.search(words):
        role: SystemRole
        for role in _other_roles(used, words):
            what = f"the system prompt in the role {role} (--system-role)"
            yield replace(used, system_role=role), what
    missing = _MISSING_REASONING.search(words)
    if missing:
        name = "reasoning_content" if "reasoning_content" in missing[0].lower() else "reasoning"
        what = f"reasoning as {name} (--reasoning-field)"
        yield replace(used, reasoning=name), what  # type: ignore[arg-type]
    for name in names:
        what = f"no {name} in the teacher's messages"
        yield replace(used, without=tuple(sorted({*used.without, name}))), what
    if not _OF_A_MESSAGE.search(words):
        return
    is_empty, is_null = _EMPTY.search(words), _NULL.search(words)
    instead = (_INSTEAD_OF_EMPTY if is_empty else ()) + (_INSTEAD_OF_NULL if is_null else ())
    for content in instead:
        what = f"another content for the teacher's messages without words ({content})"
        yield replace(used, empty_content=content), what
    if is_null:
        without = tuple(sorted({*used.without, "thinking"}))
        yield replace(used, without=without), "no thinking parts in the teacher's messages"
