"""Ways to break an export of the format ``swift``, for each of which the check has to fail."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from types import MappingProxyType

from tests.formats.controls import Break, JsonRow, breaking_a_row, without_a_row

_REPLIES = ("assistant", "tool_call")


def _at(row: JsonRow, *roles: str, after: int = 0) -> int | None:
    """The place of the first message in one of these roles; None where there is none."""
    for number, message in enumerate(row["messages"][after:], start=after):
        if message["role"] in roles:
            return number
    return None


def _replacing(pattern: str, text: str, *roles: str) -> Break:
    """A break that replaces the first match in a message of these roles."""

    def change(row: JsonRow) -> bool:
        for message in row["messages"]:
            if message["role"] in roles:
                message["content"], count = re.subn(
                    pattern, text, message["content"], count=1, flags=re.S
                )
                if count:
                    return True
        return False

    return breaking_a_row(change)


def _without(role: str) -> Callable[[JsonRow], bool]:
    """Drops the first message in a role that stands beside another of it, or is the only one."""

    def change(row: JsonRow) -> bool:
        number = _at(row, role, after=2)
        if number is None or "<image>" in row["messages"][number]["content"]:
            return False
        del row["messages"][number]
        return True

    return change


def _an_image_too_few(row: JsonRow) -> bool:
    if len(row["images"]) > 1:
        row["images"].pop()
        return True
    return False


def _an_image_too_many(row: JsonRow) -> bool:
    row["images"].append(row["images"][0])
    return True


def _images_swapped(row: JsonRow) -> bool:
    row["images"].reverse()
    return len(row["images"]) > 1


def _a_placeholder_too_few(row: JsonRow) -> bool:
    number = _at(row, "tool_response")
    if number is None or "<image>" not in row["messages"][number]["content"]:
        return False
    message = row["messages"][number]
    message["content"] = message["content"].replace("<image>\n", "")
    return True


def _a_broken_call(row: JsonRow) -> bool:
    number = _at(row, "tool_call")
    if number is not None:
        row["messages"][number]["content"] = row["messages"][number]["content"][:-2]
    return number is not None


def _a_result_under_loss(row: JsonRow) -> bool:
    number = _at(row, "tool_response")
    if number is None:
        return False
    content = row["messages"][number]["content"].replace("<image>\n", "")
    row["messages"].insert(number, {"role": "assistant", "content": content})
    return True


def _a_reply_without_loss(row: JsonRow) -> bool:
    for message in row["messages"]:
        if message["role"] == "assistant":
            message["loss"] = False
    return True


def _a_question_under_loss(row: JsonRow) -> bool:
    message = row["messages"][1]
    row["messages"].insert(2, {"role": "assistant", "content": message["content"][-40:]})
    return True


def _words_behind_the_call(row: JsonRow) -> bool:
    number = _at(row, "tool_call")
    if number is None or row["messages"][number - 1]["role"] != "assistant":
        return False
    row["messages"][number - 1]["role"] = "user"
    return True


def _no_line_before_the_call(row: JsonRow) -> bool:
    number = _at(row, "tool_call")
    if number is None or row["messages"][number - 1]["role"] != "assistant":
        return False
    message = row["messages"][number - 1]
    message["content"] = message["content"].rstrip() + "x"
    return True


def _a_turn_lost(row: JsonRow) -> bool:
    if row["messages"][-1]["role"] != "assistant" or row["messages"][-2]["role"] == "user":
        return False
    row["messages"].pop()
    return True


def _no_system(row: JsonRow) -> bool:
    del row["messages"][0]
    return True


def _no_tools(row: JsonRow) -> bool:
    row["tools"] = "[]"
    return True


def _small_limit(row: JsonRow) -> bool:
    row["chat_template_kwargs"] = {"max_pixels": 100_000, "min_pixels": 3136}
    return True


SWIFT: Mapping[str, Break] = MappingProxyType(
    {
        "an image too few": breaking_a_row(_an_image_too_few),
        "an image too many": breaking_a_row(_an_image_too_many),
        "two images swapped": breaking_a_row(_images_swapped),
        "a placeholder too few": breaking_a_row(_a_placeholder_too_few),
        "a call lost": breaking_a_row(_without("tool_call")),
        "a call with other arguments": _replacing(r'("bbox_2d": ?\[)\d+', r"\g<1>101", "tool_call"),
        "a call that is no JSON": breaking_a_row(_a_broken_call),
        "a word changed": _replacing("sign", "post", *_REPLIES),
        "a Chinese word changed": _replacing("日本", "日木", *_REPLIES),
        "a thought lost": _replacing(r"<think>.*?</think>\s*", "", "assistant"),
        "an escape lost": _replacing(r"<image\\>", "<image>", "assistant"),
        "a result under loss": breaking_a_row(_a_result_under_loss),
        "a result lost": _replacing(r"Image \d+ \(", "", "tool_response"),
        "replies without loss": breaking_a_row(_a_reply_without_loss),
        "a question under loss": breaking_a_row(_a_question_under_loss),
        "words as a question": breaking_a_row(_words_behind_the_call),
        "a letter before a call": breaking_a_row(_no_line_before_the_call),
        "a turn lost": breaking_a_row(_a_turn_lost),
        "no system prompt": breaking_a_row(_no_system),
        "no tools": breaking_a_row(_no_tools),
        "an image made smaller": breaking_a_row(_small_limit),
        "a row lost": without_a_row,
    }
)


def _a_masked_reply_learnt(row: JsonRow) -> bool:
    masked = [message for message in row["messages"] if message.get("loss") is False]
    for message in masked:
        message["loss"] = True
    return bool(masked)


A_MASKED_REPLY_LEARNT = breaking_a_row(_a_masked_reply_learnt)
"""A break of the format ``swift`` with masks."""


def _sides_swapped(row: JsonRow) -> bool:
    for name in ("messages", "images"):
        row[name], row[f"rejected_{name}"] = row[f"rejected_{name}"], row[name]
    return True


def _images_of_the_other_side(row: JsonRow) -> bool:
    differ = len(row["images"]) == len(row["rejected_images"]) > 1
    row["rejected_images"] = row["images"]
    return differ


def _a_worse_reply_lost(row: JsonRow) -> bool:
    messages = row["rejected_messages"]
    return len(messages) > 4 and bool(messages.pop())


def _no_tools_of_the_other_side(row: JsonRow) -> bool:
    row["rejected_tools"] = "[]"
    return True


def _a_worse_image_made_smaller(row: JsonRow) -> bool:
    row["rejected_chat_template_kwargs"] = {"max_pixels": 100_000, "min_pixels": 3136}
    return True


SWIFT_PAIRS: Mapping[str, Break] = MappingProxyType(
    {
        "the sides swapped": breaking_a_row(_sides_swapped),
        "images of the better side": breaking_a_row(_images_of_the_other_side),
        "an image of the worse side made smaller": breaking_a_row(_a_worse_image_made_smaller),
        "a worse reply lost": breaking_a_row(_a_worse_reply_lost),
        "no tools of the worse side": breaking_a_row(_no_tools_of_the_other_side),
        "an image too few": breaking_a_row(_an_image_too_few),
        "a row lost": without_a_row,
    }
)
"""Breaks of the format ``pairs`` for ms-swift, as DPO."""
