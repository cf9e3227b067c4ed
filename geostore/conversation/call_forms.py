"""Reads tool calls from text, in the forms in which model families write them.

The protocol's own form is a JSON object inside ``<tool_call></tool_call>``. Models
that were trained on another form fall back into it: parameters as tags (Qwen3.5,
MiniMax, Claude, DeepSeek V3.2), ``<arg_key>`` (GLM), a name before a JSON object
(Kimi, DeepSeek, Mistral, gpt-oss, ReAct), a Python call (Llama, Gemini), special
tokens (Gemma 4, Kimi K3; see `token_calls`), lists and other names of the two members.
A call in such a form has one reading, so it is read and flagged as repaired. Text that
only mentions a call, or ends before a call does, is never read as one.

Source: the tool parsers of vLLM and SGLang, and the chat templates of the models.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from geostore.answers import has_answer
from geostore.answers.brackets import STRINGS, end_of_value
from geostore.answers.call_text import BEGINS_BLOCK, BEGINS_CALL, BLOCK_NAME
from geostore.conversation.call_objects import CallObjects, WrittenCall, json_text
from geostore.conversation.token_calls import as_json_calls
from geostore.text.lenient_json import load_lenient

# Tokens that part a call from its surroundings. Where the call itself is one that can be read, they
# say no more than a line break. GLM's box around an answer is none of them.
_DELIMITERS = re.compile(
    r"<\|(?!\w*box)[^<>|\n]{1,40}\|>|<｜[^<>｜\n]{1,40}｜>|\[/?TOOL_CALLS\]|\[ARGS\]|\[CALL_ID\]\w*+"
    r"|✿\w{1,20}✿[ \t]*+[:：]?|\bfunctools(?=\[)"
    # The protocol's own tags, spelled otherwise.
    r"|(?!</tool_call>)(?:<|&lt;|＜)/?tool[_-]?call(?:>|&gt;|＞)"
)
_DSML = re.compile(r"(?<=[</])｜DSML｜")

# A value stands alone if nothing of a sentence stands before or behind it on its lines.
_BEFORE = r"(?:\A|[\n:：>,;`*\])}])[ \t]*+(?:json\b)?[ \t]*+"
_OPENING = re.compile(_BEFORE + r"(?=[{\[])")
_ALONE = re.compile(r"[ \t`.;,)\]}]*+(?:</?\w[\w:]*+>[ \t]*+)*+(?:\n|\Z|(?=[{\[]|\w[\w.:]*+\())")
_SPARE_CLOSERS = re.compile(r"(?:\s*+[}\]])*+")
_MOST_UNCLOSED = 8  # unclosed brackets after which no further one is tried

_KEYWORDS = re.compile(rf"{STRINGS}|(?P<keyword>\b[A-Za-z_]\w*+)\s*+=(?!=)|[()]", re.DOTALL)

_BLOCK = re.compile(
    rf"""<{BLOCK_NAME}(?:=|\s+name=)["']?\s*([\w.:/-]+)\s*["']?[^<>]*>(.*?)"""
    rf"(</{BLOCK_NAME}>|(?=<{BLOCK_NAME}(?:=|\s+name=))|\Z)",
    re.DOTALL,
)
_PARAMETER_NAME = r"(?:\w+:)?param(?:eter)?"
_PARAMETER = re.compile(
    rf"""<{_PARAMETER_NAME}(?:=|\s+name=)["']?\s*([\w-]+)\s*["']?[^<>]*>(.*?)"""
    rf"(</{_PARAMETER_NAME}>|(?=<{_PARAMETER_NAME}(?:=|\s))|\Z)",
    re.DOTALL,
)
_CHILD = re.compile(r"\s*+<(\w+)>([^<]*+)</\1>\s*+")
_NAME_AND_ARGUMENTS = re.compile(
    r"<(?:tool_)?name>\s*+([\w.:/-]++)\s*+</(?:tool_)?name>\s*+"
    r"<(arguments|parameters|args|input)>([^<]*+)</\2>"
)
_PAIR = (
    r"<arg_key>((?:(?!</?arg_).)*+)</arg_key>\s*+"
    r"<arg_value>((?:(?!</?arg_).)*+)</arg_value>\s*+"
)
_PAIRS = re.compile(_PAIR, re.DOTALL)
_KEYED = re.compile(rf"(?<![\w.:/-])([\w.:/-]++)\s*+((?:{_PAIR})++)(?!<arg_|</arg_)", re.DOTALL)
_BETWEEN_NAME_AND_OBJECT = re.compile(
    r"(?::\d++)?(?:\n- |[\s`*:：,]|json\b|commentary\b"
    r"|(?i:action input|arguments|args|input|parameters))*+(?=\{)"
)


class CallReader:
    """Reads calls of the tools of one recipe. tools: their schemas."""

    def __init__(self, tools: Sequence[Mapping[str, Any]]) -> None:
        self._objects = CallObjects(tools)
        names = "|".join(map(re.escape, self._objects.types))
        self._named = re.compile(
            rf"(?:\A|[\n:：>`*(\[,;=\])}}])[ \t]*+(?P<call>(?:[\w-]++[.:/]){{0,3}}?"
            rf"(?P<name>{names})(?!\w))"
        )
        self._element = re.compile(
            rf"<(?P<name>{names})>(?P<inside>(?:(?!</?(?:{names})>).)*+)</(?P=name)>", re.DOTALL
        )
        # An object or a Python call of a tool that begins where a call would, and was not read.
        self._broken = re.compile(
            rf"{_BEFORE}[{{\[][^{{}}]{{0,200}}?[\"'“](?:[\w-]++[.:/])*+(?:{names})[\"'”:]"
            rf"|(?:\A|[\n:：>`\[])[ \t]*+(?:[\w-]++\.)*+(?:{names})\("
        )

    def inside_tags(self, body: str, *, closed: bool) -> tuple[WrittenCall, ...]:
        """The calls between one pair of tags; one without a name where there is none to read.

        closed: whether the closing tag is there.
        """
        value, repaired = load_lenient(body)
        calls = self._objects.calls_of(value, repaired=repaired, any_name=True)
        if calls:
            return calls
        for text in (body, *_decoded(body)):
            page = self._read(text, closed=closed, in_tags=True)
            if page.calls:
                broken = self._broken_part(page.text)
                return page.calls if broken is None else (*page.calls, WrittenCall("", broken))
        name = self.tool_name(body)
        if closed and name in self._objects.types:
            return (WrittenCall(name, "{}", repaired=True),)
        return (WrittenCall("", body),)

    def outside_tags(self, text: str) -> tuple[WrittenCall, ...]:
        """The calls in a text that has none of the protocol's tags.

        None where the text answers besides: its author may only quote a call then.
        One without a name stands for what begins as a call and cannot be read.
        """
        if not (self._objects.name_inside.search(text) or BEGINS_CALL.search(text)):
            return ()
        page = self._read(text, closed=False, in_tags=False)
        calls = page.calls
        if calls:
            broken = self._broken_part(page.text)
        else:
            # The tokens around a call, which are no longer in the page, tell that there is one.
            begins = BEGINS_CALL.search(text)
            broken = text.strip() if begins or self._broken.search(page.text) else None
        if broken is not None:
            calls = (*calls, WrittenCall("", broken))
        if not calls or has_answer(page.without_calls):
            return ()
        return tuple(replace(call, tagged=False) for call in calls)

    def of_object(self, value: Mapping[str, Any]) -> WrittenCall | None:
        """The call that a JSON object is, whatever its tool; None where it is none."""
        return self._objects.call_of(value, repaired=False, any_name=True)

    def tool_name(self, written: str) -> str:
        """A tool's name without what models and servers put around it."""
        return self._objects.tool_name(written)

    def _read(self, text: str, *, closed: bool, in_tags: bool) -> _Page:
        """A page from which every call that can be read was taken."""
        page = _Page(_DELIMITERS.sub("\n", _DSML.sub("", as_json_calls(text))))
        page.take(self._blocks(page.text, closed=closed))
        page.take(self._elements(page.text))
        page.take(self._keyed(page.text))
        page.take(self._values(page.text, any_name=in_tags))
        page.take(self._named_calls(page.text))
        return page

    def _broken_part(self, text: str) -> str | None:
        """What begins as a call in the text that is left when all calls were taken."""
        begins = [m.start() for m in (BEGINS_BLOCK.search(text), self._broken.search(text)) if m]
        return text[min(begins) :].strip() if begins else None

    def _blocks(self, text: str, *, closed: bool) -> Iterator[_Span]:
        """``<function=name><parameter=key>value</parameter></function>`` and its relatives."""
        for block in _BLOCK.finditer(text):
            name = self.tool_name(block[1])
            ended = closed or block[3] != "" or block.end() < len(text)
            arguments = self._block_arguments(name, block[2], ended=ended)
            if arguments is not None and ended:
                yield _Span(block.start(), block.end(), (WrittenCall(name, arguments, True),))

    def _block_arguments(self, name: str, inside: str, *, ended: bool) -> str | None:
        parameters = list(_PARAMETER.finditer(inside))
        if not parameters:
            value, _ = load_lenient(inside)
            if isinstance(value, dict):
                return json_text(value)
            return self._child_arguments(name, inside)
        if _PARAMETER.sub("", inside).strip():
            return None
        # One that only the end of the block ends may have been cut.
        if parameters[-1][3] == "" and not ended:
            return None
        return self._arguments(name, ((found[1], found[2]) for found in parameters))

    def _child_arguments(self, name: str, inside: str) -> str | None:
        if _CHILD.sub("", inside).strip():
            return None
        return self._arguments(name, ((child[1], child[2]) for child in _CHILD.finditer(inside)))

    def _elements(self, text: str) -> Iterator[_Span]:
        """An element with the tool's name, or one for the name and one for the arguments."""
        for element in self._element.finditer(text):
            arguments = self._block_arguments(element["name"], element["inside"], ended=True)
            if arguments is not None:
                call = WrittenCall(element["name"], arguments, repaired=True)
                yield _Span(element.start(), element.end(), (call,))
        for pair in _NAME_AND_ARGUMENTS.finditer(text):
            call = WrittenCall(self.tool_name(pair[1]), pair[3].strip() or "{}", repaired=True)
            yield _Span(pair.start(), pair.end(), (call,))

    def _keyed(self, text: str) -> Iterator[_Span]:
        """``name<arg_key>key</arg_key><arg_value>value</arg_value>``."""
        for found in _KEYED.finditer(text):
            name = self.tool_name(found[1])
            arguments = self._arguments(name, ((p[1], p[2]) for p in _PAIRS.finditer(found[2])))
            if arguments is not None:
                call = WrittenCall(name, arguments, repaired=True)
                yield _Span(found.start(), found.end(), (call,))

    def _values(self, text: str, *, any_name: bool) -> Iterator[_Span]:
        """JSON objects and lists. One in the midst of a sentence is only mentioned."""
        position = unclosed = 0
        while unclosed < _MOST_UNCLOSED and (opening := _OPENING.search(text, position)):
            start = opening.end()
            end = end_of_value(text, start)
            if end is None:
                unclosed += 1
                position = start + 1
                continue
            whole = _SPARE_CLOSERS.match(text, end)
            end = whole.end() if whole else end
            value, _ = load_lenient(text[start:end])
            calls = self._objects.calls_of(value, repaired=True, any_name=any_name)
            if calls and (any_name or _ALONE.match(text, end)):
                calls = tuple(replace(call, repaired=bool(call.name)) for call in calls)
                yield _Span(start, end, calls)
            elif value is not None and self._objects.name_inside.search(text, start, end):
                yield _Span(start, end, ())
            position = end - 1

    def _named_calls(self, text: str) -> Iterator[_Span]:
        """``name {...}`` and ``name(key=value)``. One in the midst of a sentence is mentioned."""
        read_to = unclosed = 0
        for found in self._named.finditer(text):
            if found.start("call") < read_to or unclosed >= _MOST_UNCLOSED:
                continue
            between = _BETWEEN_NAME_AND_OBJECT.match(text, found.end())
            parenthesis = re.compile(r"(?:\.call)?[ \t]*+(?=\()").match(text, found.end())
            opening = between or parenthesis
            end = end_of_value(text, opening.end()) if opening else None
            if opening is None or end is None:
                unclosed += opening is not None
                continue
            inside = text[opening.end() : end]
            arguments, _ = load_lenient(inside if between else _keywords_as_json(inside))
            if isinstance(arguments, dict):
                call = WrittenCall(found["name"], json_text(arguments), repaired=True)
                alone = _ALONE.match(text, end)
                read_to = end
                yield _Span(found.start("call"), end, (call,) if alone else ())

    def _arguments(self, name: str, pairs: Iterable[tuple[str, str]]) -> str | None:
        """The JSON text of arguments written as tags; None where one has two values."""
        types = self._objects.types.get(name, {})
        arguments: dict[str, Any] = {}
        for key, text in pairs:
            value = _value(text.strip(), types.get(key.strip()))
            if arguments.setdefault(key.strip(), value) != value:
                return None
        return json_text(arguments)


@dataclass(frozen=True, slots=True)
class _Span:
    """A part of a text that was read, or that only mentions calls."""

    start: int
    end: int
    calls: tuple[WrittenCall, ...]


class _Page:
    """A text from which calls are taken, one form after another; no part is read twice."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.without_calls = text
        self._taken: list[_Span] = []

    def take(self, spans: Iterator[_Span]) -> None:
        """Put lines of blanks where the spans are; offsets stay as they are."""
        for span in list(spans):
            self._taken.append(span)
            self.text = _blanked(self.text, span)
            if span.calls:
                self.without_calls = _blanked(self.without_calls, span)

    @property
    def calls(self) -> tuple[WrittenCall, ...]:
        """What was taken, in the order of the text."""
        ordered = sorted(self._taken, key=lambda span: span.start)
        return tuple(call for span in ordered for call in span.calls)


def _blanked(text: str, span: _Span) -> str:
    blank = "\n" + " " * (span.end - span.start - 2) + "\n"
    return text[: span.start] + blank + text[span.end :]


def _decoded(body: str) -> list[str]:
    """The text with quotes as quotes where they came as entities or with backslashes."""
    if "&quot;" in body:
        return [html.unescape(body)]
    if re.match(r"\s*[\[{]\s*(?:\\n\s*)?\\\"", body):
        value, _ = load_lenient(f'"{body}"')
        return [value] if isinstance(value, str) else []
    return []


def _keywords_as_json(parenthesis: str) -> str:
    """The arguments of a Python call, as an object."""
    inside = parenthesis[1:-1].strip()
    if inside.startswith("{"):
        return inside

    def as_json(token: re.Match[str]) -> str:
        if token["keyword"] is not None:
            return f'"{token["keyword"]}":'
        return {"(": "[", ")": "]"}.get(token.group(), token.group())

    return "{" + _KEYWORDS.sub(as_json, inside) + "}"


def _value(text: str, json_type: Any) -> Any:
    """A value written as the text of a tag: text for a text, else the JSON that it is."""
    if json_type == "string":
        return text
    value, _ = load_lenient(text)
    return text if value is None and text not in ("null", "None") else value
