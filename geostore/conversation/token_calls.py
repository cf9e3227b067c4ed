"""Writes calls whose punctuation is a model's special tokens as JSON objects.

Gemma 4 has tokens for the edges of a call and of a text, and keys without quotes:
``<|tool_call>call:NAME{key:<|"|>text<|"|>,number:42}<tool_call|>``. A server that drops
special tokens leaves ``call:NAME{key:text,number:42}``. Kimi K3 has elements:
``<|open|>call tool="NAME" index="1"<|sep|>``, in it
``<|open|>argument key="key" type="string"<|sep|>text<|close|>argument<|sep|>``, and
``<|close|>call<|sep|>``.

Source: the tool parsers of vLLM, SGLang and llama.cpp, and the models' chat templates.
Every function is linear in its input.
"""

from __future__ import annotations

import html
import json
import re
from typing import Any

from geostore.text.lenient_json import load_lenient

_HINTS = ("call:", '<|open|>call tool="')

_GEMMA = re.compile(r"(?:<\|tool_call>\s*|(?:\A|(?<=\n)))call:(?P<name>[\w.:/-]+?)\s*(?=\{)")
_GEMMA_END = re.compile(r"\s*<tool_call\|>")
_GEMMA_BRACKETS = re.compile(r'<\|"\|>.*?<\|"\|>|"(?:[^"\\\n]|\\.)*"|[{}\[\]]', re.DOTALL)
_GEMMA_PARTS = re.compile(
    r'<\|"\|>(?P<text>.*?)<\|"\|>'
    r'|(?P<json>"(?:[^"\\\n]|\\.)*")'
    r"|(?P<key>(?<=[{,\s])[A-Za-z_][\w-]*)(?=\s*:)"
    # A text whose tokens were dropped: up to the next key, or the end of the object.
    r"|(?<=:)\s*(?P<bare>(?!(?:true|false|null)\s*[,}])[^\s\"'\[{<0-9+-][^{}<]{0,120}?)"
    r"(?=,\s*[A-Za-z_][\w-]*\s*:|\s*\})",
    re.DOTALL,
)

_KIMI = re.compile(r'<\|open\|>call tool="(?P<name>[^"\n]{1,200})"[^<>\n]{0,100}<\|sep\|>')
_KIMI_END = "<|close|>call<|sep|>"
_KIMI_ARGUMENT = re.compile(
    r'\s*+<\|open\|>argument key="(?P<key>[^"\n]{1,200})"(?: type="(?P<type>\w+)")?'
    r"[^<>\n]{0,100}<\|sep\|>(?P<value>(?:(?!<\|(?:open|close)\|>).)*+)"
    r"<\|close\|>argument<\|sep\|>\s*+",
    re.DOTALL,
)


def as_json_calls(text: str) -> str:
    """`text` with each whole call in these forms as a JSON object on a line of its own.

    A call that is broken or cut stays as it is.
    """
    if not any(hint in text for hint in _HINTS):
        return text
    return _kimi_calls(_gemma_calls(text))


def _gemma_calls(text: str) -> str:
    parts: list[str] = []
    start = 0
    for opening in _GEMMA.finditer(text):
        if opening.start() < start:
            continue  # inside the call before
        end = _end_of_object(text, opening.end())
        if end is None:
            break
        arguments, _ = load_lenient(_GEMMA_PARTS.sub(_gemma_part, text[opening.end() : end]))
        if isinstance(arguments, dict):
            parts += [text[start : opening.start()], _object(opening["name"], arguments)]
            closing = _GEMMA_END.match(text, end)
            start = closing.end() if closing else end
    return "".join([*parts, text[start:]])


def _end_of_object(text: str, start: int) -> int | None:
    """Where the brace at `start` is closed, outside of texts; None where it is not."""
    depth = 0
    for token in _GEMMA_BRACKETS.finditer(text, start):
        if token[0] in "{[":
            depth += 1
        elif token[0] in "}]":
            depth -= 1
            if depth == 0:
                return token.end()
    return None


def _gemma_part(part: re.Match[str]) -> str:
    if part["json"] is not None:
        return part["json"]
    text = next(words for words in (part["text"], part["key"], part["bare"]) if words is not None)
    return json.dumps(text, ensure_ascii=False)


def _kimi_calls(text: str) -> str:
    parts: list[str] = []
    start = 0
    for opening in _KIMI.finditer(text):
        end = text.find(_KIMI_END, opening.end())
        if end < 0:
            break
        if opening.start() < start:
            continue
        arguments = _kimi_arguments(text[opening.end() : end])
        if arguments is not None:
            name = html.unescape(opening["name"])
            parts += [text[start : opening.start()], _object(name, arguments)]
            start = end + len(_KIMI_END)
    return "".join([*parts, text[start:]])


def _kimi_arguments(inside: str) -> dict[str, Any] | None:
    """What stands in a call's element; None where it holds anything but arguments."""
    if _KIMI_ARGUMENT.sub("", inside).strip():
        return None
    arguments: dict[str, Any] = {}
    for argument in _KIMI_ARGUMENT.finditer(inside):
        value: Any = argument["value"]
        if argument["type"] not in (None, "string"):
            value, _ = load_lenient(value)
        arguments[html.unescape(argument["key"])] = value
    return arguments


def _object(name: str, arguments: dict[str, Any]) -> str:
    call = {"name": name, "arguments": arguments}
    return f"\n{json.dumps(call, ensure_ascii=False)}\n"
