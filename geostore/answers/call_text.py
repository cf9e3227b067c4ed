"""Cuts tool calls out of a response, in whatever form: what a tool is asked is no answer.

A call of a tool whose name says that it takes the answer (``final_answer``, ``submit``) stays: its
arguments are the answer. `conversation.call_forms` reads calls by the same forms. Every function is
linear in its input.
"""

import re
from collections.abc import Iterator

from geostore.answers.brackets import end_of_value
from geostore.answers.slots import BOX, OPEN_ANSWER

NAME_MEMBERS = (
    "name",
    "tool",
    "tool_name",
    "function",
    "function_name",
    "recipient_name",
    "action",
)
"""The members of a call that may name its tool; the protocol's own is the first."""
ARGUMENT_MEMBERS = (
    "arguments",
    "parameters",
    "argument",
    "parameter",
    "args",
    "params",
    "input",
    "tool_input",
    "tool_args",
    "action_input",
    "kwargs",
)
"""The members that may hold its arguments; the protocol's own is the first."""

BLOCK_NAME = r"(?:\w+:)?(?:function|invoke|tool|tool_call|function_call|tool_use|use_tool)"
"""The name of an element that is a call."""
BEGINS_BLOCK = re.compile(rf"<{BLOCK_NAME}(?:=|\s+name=)|<arg_key>|<start_function_call>")
"""The beginning of a call as an element."""
BEGINS_CALL = re.compile(
    rf"{BEGINS_BLOCK.pattern}"
    r"|(?:<|&lt;|＜)tool[_-]?call(?:>|&gt;|＞)"
    r"|<\|?(?:\w+:)?(?:tool_?calls?|function_?calls?|tool_use)(?:_(?:section_)?(?:begin|start))?\|?>"
    r"|<｜(?:DSML｜)?(?:tool|function)|<\|python_tag\|>|<\|action_start\|>|\[TOOL_CALLS\]"
    r"|✿FUNCTION✿|\bto=functions\.|\bfunctools\[|<\|open\|>(?:tools|call )"
    r"|(?:\A|(?<=\n))call:\w[\w.-]*+\{"
)
"""What no prose holds: the beginning of a call in some family's form."""

_BLOCK_HINTS = ("tool", "func", "invoke", "arg_key", "<|", "TOOL_CALLS", "FUNCTION", "call:")
"""One of these stands in each text that holds the beginning of a call."""
_MEMBER_HINTS = ("args", "argument", "param", "nput")
"""One of these stands in each text that names the arguments of a call."""
_ENDS_CALL = re.compile(
    rf"</(?:{BLOCK_NAME}|(?:\w+:)?(?:tool_?calls?|function_?calls?))>"
    r"|</arg_value>(?!\s*+<arg_key>)"
    r"|(?:&lt;|＜)/tool[_-]?call(?:&gt;|＞)"
    r"|<tool_call\|>|<end_function_call>|<\|(?:/tool_call|tool_calls?(?:_section)?_end|action_end)\|>"
    r"|<｜(?:DSML｜)?tool▁calls?▁end｜>|</｜DSML｜(?:invoke|function_calls|tool_calls)>|\[/TOOL_CALLS\]"
    r"|<\|close\|>(?:tools|call)<\|sep\|>"
)
_TOKEN = r"<\|[^<>|\n]{1,40}\|>|<｜[^<>｜\n]{1,40}｜>"
_TO_VALUE = re.compile(
    rf"(?:[^<>{{}}\[\]()\n]{{0,60}}>)?(?:{_TOKEN}|[^<>{{}}\[\]()]){{0,120}}?(?=[{{\[(])"
)
"""What may stand between the beginning of a call and its arguments."""
_MORE_VALUES = re.compile(rf"(?:{_TOKEN}|[\s,;])*+(?:[\w.:/-]{{1,60}}\s?)?(?=[{{\[])")
_SLOT = re.compile(rf"{re.escape(OPEN_ANSWER)}|{re.escape(BOX)}")

_NAME_KEY = rf"\\?[\"'](?:{'|'.join(NAME_MEMBERS)})\\?[\"']\s{{0,4}}:\s{{0,4}}\\?[\"']"
_NAME = re.compile(rf"{_NAME_KEY}([\w.:/-]{{1,200}})\\?[\"']")
_NAME_BEFORE = re.compile(rf"{_NAME.pattern}[^{{}}\[\]]{{0,100}}\Z")
_NAME_BEHIND = re.compile(rf"\s{{0,8}},[^{{}}\[\]]{{0,100}}?{_NAME.pattern}")
_ARGUMENTS = re.compile(
    rf"\\?[\"'](?P<key>{'|'.join(ARGUMENT_MEMBERS)})\\?[\"']\s{{0,8}}:\s{{0,8}}(?=[{{\[]|\"\s{{0,4}}\\?[{{\[])"
    r"|Action Input[\s*`]{0,4}:[\s`]{0,8}(?:json\s{0,4})?(?=\{)"
)
_SAYS_CALL = frozenset({"arguments", "tool_input", "tool_args", "action_input"})
"""Members that nothing but a call has, so that they need no name beside them."""
_ACTION = re.compile(r"Action[\s*`]{0,4}:[\s*`]{0,4}([\w.:/-]{1,60})[^\n]{0,20}\n?[^\n]{0,8}\Z")
_ELEMENTS = re.compile(
    r"<(?:(?:tool|function)_?(?:name)?|name|action)>\s{0,8}(?P<name>[\w.:/-]{1,60})\s{0,8}</\w{1,20}>\s{0,8}"
    rf"<(?P<arguments>{'|'.join(ARGUMENT_MEMBERS)})>[^<]*+</(?P=arguments)>"
)
_TEXT = re.compile(r'"(?:[^"\\]|\\.)*+"', re.DOTALL)
_READ_AGAIN = 3
"""How often each character is looked at in arguments that stand in each other, at most."""
_LAST_WORD = re.compile(r"[\w.:/-]{1,60}\s*\Z")
_TAKES_ANSWER = re.compile(r"answer|submit|final|finish|guess|conclu|respon", re.IGNORECASE)
_CHECKS_ANSWER = re.compile(r"check|verif|valid|test|compar|search", re.IGNORECASE)


def without_calls(text: str) -> str:
    """`text` without its tool calls, but for those that take the answer.

    text: outside thoughts, with its slots as they were asked for (`spellings.with_usual_slots`). A
    slot is never cut, wherever it stands.
    """
    if _holds_any(_BLOCK_HINTS, text):
        text = "".join(_outside_blocks(text))
    if _holds_any(_MEMBER_HINTS, text):
        text = "".join(_outside_arguments(text))
        text = _ELEMENTS.sub(lambda call: call[0] if _is_answer(call["name"]) else "\n", text)
    return text


def _holds_any(hints: tuple[str, ...], text: str) -> bool:
    for hint in hints:  # noqa: SIM110 - `any` takes twice as long, and each response is read
        if hint in text:
            return True
    return False


def _outside_blocks(text: str) -> Iterator[str]:
    start = at = 0
    slot = closer = -1
    while begins := BEGINS_CALL.search(text, at):
        if closing := _ENDS_CALL.match(text, begins.start()):
            at = closing.end()  # the mark around several calls
            continue
        if slot < begins.end():
            slot = _start_of(_SLOT.search(text, begins.end()), text)
        if closer < begins.end():
            closed = _ENDS_CALL.search(text, begins.end())
            closer = closed.end() if closed else len(text) + 1
        end = closer if closer <= slot else _end_of_values(text, begins, slot)
        before = text[max(0, begins.start() - 60) : begins.start()]
        keyed = _LAST_WORD.search(before) if begins[0] == "<arg_key>" else None
        if _is_answer(keyed[0] if keyed else _name_of(text[begins.start() : end])):
            at = end
            continue
        yield text[start : begins.start()]
        yield "\n"
        start = at = end
    yield text[start:]


def _start_of(match: re.Match[str] | None, text: str) -> int:
    return match.start() if match else len(text)


def _end_of_values(text: str, begins: re.Match[str], limit: int) -> int:
    """Where a call without a closing mark ends; `limit` where its arguments never end."""
    # The beginning may hold the bracket of the arguments: `functools[`, `call:map{`.
    opened = begins.end() - 1 if text[begins.end() - 1] in "[{" else None
    if opened is None:
        to_value = _TO_VALUE.match(text, begins.end(), limit)
        opened = to_value.end() if to_value else None
    end = None if opened is None else end_of_value(text, opened, limit)
    while end is not None and (more := _MORE_VALUES.match(text, end, limit)):
        end = end_of_value(text, more.end(), limit)
    return limit if end is None else end


def _name_of(call: str) -> str:
    """What names the tool of a call, as far as it can be told."""
    name = _NAME.search(call)
    return name[1] if name else re.split(r"[{(]|<param|<arg|\s\w+:param", call[:300], maxsplit=1)[0]


def _is_answer(name: str) -> bool:
    return _TAKES_ANSWER.search(name) is not None and _CHECKS_ANSWER.search(name) is None


def _outside_arguments(text: str) -> Iterator[str]:
    start = at = 0
    slot = -1
    budget = _READ_AGAIN * len(text)
    while budget > 0 and (arguments := _ARGUMENTS.search(text, at)):
        opened = arguments.end()
        if slot < opened:
            slot = _start_of(_SLOT.search(text, opened), text)
        if text[opened] == '"':
            written = _TEXT.match(text, opened)
            end = written.end() if written else None
        else:
            end = end_of_value(text, opened)
        at = min(len(text) if end is None else end, slot)
        budget -= (end or len(text)) - opened
        name = _name_beside(text, arguments, at)
        if _is_answer(name or "") or (name is None and arguments["key"] not in _SAYS_CALL):
            at = opened  # what stands in it may be a call
            continue
        yield text[start : arguments.start()]
        start = at
    yield text[start:]


def _name_beside(text: str, arguments: re.Match[str], end: int) -> str | None:
    """The name of the tool whose arguments these are; None where no member names one."""
    before = text[max(0, arguments.start() - 240) : arguments.start()]
    if arguments["key"] is None:
        action = _ACTION.search(before)
        return action[1] if action else ""
    name = _NAME_BEFORE.search(before) or _NAME_BEHIND.match(text, end, end + 240)
    return name[1] if name else None
