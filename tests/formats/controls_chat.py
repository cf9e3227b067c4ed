"""Ways to break an export of the format ``chat``, for each of which the check has to fail."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from tests.formats.controls import Break, JsonRow, breaking_a_row, without_a_row


def _parts(row: JsonRow) -> list[list[dict[str, Any]]]:
    """The contents that hold images."""
    contents = [message["content"] for message in row["messages"]]
    return [c for c in contents if isinstance(c, list) and any(_is_image(part) for part in c)]


def _is_image(part: dict[str, Any]) -> bool:
    return bool(part["type"] == "image_url")


def _an_image_too_few(row: JsonRow) -> bool:
    contents = _parts(row)
    last = contents[-1]
    last[:] = [part for part in last if not _is_image(part)]
    return len(contents) > 1


def _images_swapped(row: JsonRow) -> bool:
    contents = _parts(row)
    images = [part for content in contents for part in content if _is_image(part)]
    urls = [part["image_url"] for part in images]
    for part, url in zip(images, reversed(urls), strict=True):
        part["image_url"] = url
    return len(images) > 1


def _a_call_lost(row: JsonRow) -> bool:
    return _replace(row, "assistant", "<tool_call>", "")


def _a_call_with_other_arguments(row: JsonRow) -> bool:
    return _replace(row, "assistant", '"bbox_2d": [1', '"bbox_2d": [2')


def _replace(row: JsonRow, role: str, old: str, new: str) -> bool:
    for message in row["messages"]:
        if message["role"] == role and old in message["content"]:
            message["content"] = message["content"].replace(old, new)
            return True
    return False


def _a_word_changed(row: JsonRow) -> bool:
    return _replace(row, "assistant", "sure", "certain")


def _a_question_under_loss(row: JsonRow) -> bool:
    words = row["messages"][1]["content"][-1].get("text", "")[-40:]
    row["messages"].insert(2, {"role": "assistant", "content": words, "loss": True})
    return bool(words)


def _a_result_lost(row: JsonRow) -> bool:
    for message in row["messages"][2:]:
        if message["role"] == "user" and isinstance(message["content"], list):
            message["content"] = [part for part in message["content"] if _is_image(part)]
            return True
    return False


def _replies_without_loss(row: JsonRow) -> bool:
    for message in row["messages"]:
        if message["role"] == "assistant":
            message["loss"] = False
    return True


def _an_escape_lost(row: JsonRow) -> bool:
    return _replace(row, "assistant", "<image\\>", "<image>")


def _no_system(row: JsonRow) -> bool:
    del row["messages"][0]
    return True


CHAT: Mapping[str, Break] = MappingProxyType(
    {
        "an image too few": breaking_a_row(_an_image_too_few),
        "two images swapped": breaking_a_row(_images_swapped),
        "a call lost": breaking_a_row(_a_call_lost),
        "a call with other arguments": breaking_a_row(_a_call_with_other_arguments),
        "a word changed": breaking_a_row(_a_word_changed),
        "a question under loss": breaking_a_row(_a_question_under_loss),
        "a result lost": breaking_a_row(_a_result_lost),
        "replies without loss": breaking_a_row(_replies_without_loss),
        "an escape lost": breaking_a_row(_an_escape_lost),
        "no system prompt": breaking_a_row(_no_system),
        "a row lost": without_a_row,
    }
)
"""Breaks of the format ``chat`` in the dialect of ms-swift."""
