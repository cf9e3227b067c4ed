"""Minds for the test server: what it says is a function of what it was sent."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from tests.teacher_server import Body, Reply

ZOOM = "image_zoom_in_tool"
ROTATE = "image_rotate_tool"


def text_call(name: str, arguments: Any) -> str:
    return f"<tool_call>\n{json.dumps({'name': name, 'arguments': arguments})}\n</tool_call>"


def answer(lat: float, lon: float) -> str:
    return f"I am sure enough. <answer>\\boxed{{{lat}, {lon}}}</answer>"


def turns_so_far(body: Body) -> int:
    return sum(message["role"] == "assistant" for message in body["messages"])


def zoom_then_answer(body: Body) -> Reply:
    """One zoom, then an answer whose place depends on the photo that was sent."""
    if turns_so_far(body) == 0 and _may_call(body):
        return _call(body, ZOOM, {"bbox_2d": [100, 100, 600, 700]}, "There is a sign.")
    return Reply(answer(*_place(body)))


def wanderer(body: Body) -> Reply:
    """A conversation of some length, decided by the photo: zooms, rotations, bad calls, chatter."""
    turn = turns_so_far(body)
    seed = _digest(body)
    length = seed[0] % 5
    if turn >= length or not _may_call(body):
        return Reply(answer(*_place(body)))
    kind = seed[1 + turn] % 6
    if kind == 0:
        return _call(body, ROTATE, {"angle": 90 * (1 + seed[10] % 3)}, "It lies on its side.")
    if kind == 1:
        return _call(body, ZOOM, {"bbox_2d": [5, 5, 2, 2]}, "A box that is none.")
    if kind == 2:
        return Reply("I am thinking about it and say nothing yet.")
    if kind == 3 and "tools" not in body:
        call = text_call(ZOOM, {"bbox_2d": [0, 0, 400, 400]})
        return Reply(f"<think>Two at once.</think>{call}{text_call(ROTATE, {'angle': 15})}")
    x, y = seed[2 + turn] % 500, seed[3 + turn] % 500
    return _call(body, ZOOM, {"bbox_2d": [x, y, x + 300, y + 300]}, "Closer.")


def _may_call(body: Body) -> bool:
    return "tools" in body or "<tools>" in str(body["messages"][0]["content"])


def _call(body: Body, name: str, arguments: Any, prose: str) -> Reply:
    if "tools" not in body:
        return Reply(f"{prose}\n{text_call(name, arguments)}")
    call = {
        "id": f"call_{turns_so_far(body)}",
        "type": "function",
        "function": {"name": name, "arguments": json.dumps(arguments)},
    }
    return Reply(prose, finish_reason="tool_calls", tool_calls=[call])


def _digest(body: Body) -> bytes:
    for message in body["messages"]:
        if isinstance(message["content"], list):
            for part in message["content"]:
                if part["type"] == "image_url":
                    return hashlib.sha256(part["image_url"]["url"].encode()).digest()
    raise AssertionError("the request shows no photo")


def _place(body: Body) -> tuple[float, float]:
    seed = _digest(body)
    return round(seed[20] / 255 * 120 - 60, 4), round(seed[21] / 255 * 340 - 170, 4)
