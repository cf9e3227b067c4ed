"""A small client of the wire: asks a teacher about a photo and applies its tools with Pillow.

It stands in for the pipeline so that the offline teacher is tested on its own:
it reduces the photo, cuts zooms from the full-resolution one, and speaks both
protocols and all three frames of boxes.
"""

from __future__ import annotations

import base64
import http.client
import io
import json
import re
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import numpy as np
from PIL import Image

from geostore.demo.gazetteer import great_circle_km

FRAMES = {
    "pixel": "Boxes are [x1, y1, x2, y2] in pixels of the image you name, as you see it.",
    "norm1000": (
        "Boxes are [x1, y1, x2, y2] on a scale from 0 to 1000: 0 is the left or top edge of the "
        "image, 1000 the right or bottom edge."
    ),
    "norm1000_yx": (
        "Boxes are [y1, x1, y2, x2] on a scale from 0 to 1000, y first: 0 is the top or left "
        "edge of the image, 1000 the bottom or right edge."
    ),
}
LAST = "This is your last turn: give your answer now, without another tool call."
MAX_PIXELS = 640 * 480
TOOLS = [
    {"type": "function", "function": {"name": name, "parameters": {"type": "object"}}}
    for name in ("image_zoom_in_tool", "image_rotate_tool")
]


@dataclass
class Outcome:
    """What came of one photo. texts: the teacher's turns; calls: (name, arguments)."""

    answer: tuple[float, float] | None = None
    texts: list[str] = field(default_factory=list)
    calls: list[tuple[str, dict[str, Any]]] = field(default_factory=list)


class Client:
    """One kept-alive connection to a teacher."""

    def __init__(self, base_url: str) -> None:
        parts = urlsplit(base_url)
        self._path = parts.path
        self._http = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=60)

    def close(self) -> None:
        """Give the connection back."""
        self._http.close()

    def request(self, method: str, path: str, body: bytes | None = None) -> tuple[int, Any]:
        """Status and decoded JSON of one request."""
        self._http.request(method, self._path + path, body, {"Content-Type": "application/json"})
        response = self._http.getresponse()
        return response.status, json.loads(response.read())

    def complete(self, body: dict[str, Any]) -> dict[str, Any]:
        """The first choice of a completion that must succeed."""
        status, answer = self.request("POST", "/chat/completions", json.dumps(body).encode())
        assert status == 200, answer
        choice: dict[str, Any] = answer["choices"][0]
        return choice

    def place(
        self,
        photo: bytes,
        *,
        protocol: str = "text",
        frame: str = "pixel",
        turns: int = 5,
        refuse: str | None = None,
    ) -> Outcome:
        """Talk until there is an answer. refuse: what every tool call is answered with."""
        full = Image.open(io.BytesIO(photo)).convert("RGB")
        images, sent = [full], [reduced(full)]
        current = 0
        outcome = Outcome()
        messages = first_messages(jpeg(sent[0]), sent[0].size, protocol=protocol, frame=frame)
        for turn in range(1, turns + 1):
            body: dict[str, Any] = {"model": "t", "messages": messages, "max_tokens": 2000}
            if protocol == "native":
                body["tools"] = TOOLS
            message = self.complete(body)["message"]
            outcome.texts.append(message["content"])
            outcome.answer = boxed(message["content"])
            calls = _calls_of(message)
            if outcome.answer is not None or not calls:
                return outcome
            outcome.calls += calls
            messages.append(message)
            note = LAST if turn == turns - 1 else ""
            name, arguments = calls[0]
            if refuse is None:
                made = apply_tool(images[current], sent[current].size, name, arguments, frame)
                images.append(made)
                if "rotate" in name:
                    current = len(images) - 1
                sent.append(reduced(made))
                width, height = sent[-1].size
                line = f"Image {len(images) - 1} ({width} x {height} pixels): made. {note}"
                picture = image_part(jpeg(sent[-1]))
            else:
                line, picture = f"{refuse} {note}", None
            messages += _observation(message, line, picture, len(images) - 1)
        return outcome


def first_messages(
    photo: bytes, size: tuple[int, int], *, protocol: str, frame: str
) -> list[dict[str, Any]]:
    """System and user message of a conversation about one photo."""
    system, prompt = "You are a geographer.", "Where was this photo taken?"
    if protocol != "none":
        prompt += f" The photo is image 0, {size[0]} x {size[1]} pixels as you see it. "
        prompt += FRAMES[frame]
    if protocol == "text":
        lines = "\n".join(json.dumps(tool) for tool in TOOLS)
        system += (
            f"\n# Tools\n<tools>\n{lines}\n</tools>\nCall them inside <tool_call></tool_call>."
        )
    content = [image_part(photo), {"type": "text", "text": prompt}]
    return [{"role": "system", "content": system}, {"role": "user", "content": content}]


def _observation(
    message: dict[str, Any], line: str, picture: dict[str, Any] | None, index: int
) -> list[dict[str, Any]]:
    pictures = [] if picture is None else [picture]
    calls = message.get("tool_calls")
    if calls:
        told = [{"role": "tool", "tool_call_id": calls[0]["id"], "content": line}]
        shown = [{"type": "text", "text": f"Image {index}:"}, *pictures]
        return told + ([{"role": "user", "content": shown}] if pictures else [])
    head = {"type": "text", "text": "<tool_response>\n"}
    tail = {"type": "text", "text": f"\n{line}\n</tool_response>"}
    return [{"role": "user", "content": [head, *pictures, tail]}]


def _calls_of(message: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    if message.get("tool_calls"):
        functions = [call["function"] for call in message["tool_calls"]]
        return [(each["name"], json.loads(each["arguments"])) for each in functions]
    found = re.findall(r"<tool_call>\n(.*?)\n</tool_call>", message["content"])
    return [(each["name"], each["arguments"]) for each in map(json.loads, found)]


def apply_tool(
    image: Image.Image, seen: tuple[int, int], name: str, arguments: dict[str, Any], frame: str
) -> Image.Image:
    """A rotation, or a zoom cut from the full-resolution image and enlarged."""
    if name == "image_rotate_tool":
        angle = float(arguments["angle"])
        return image.rotate(angle, Image.Resampling.BICUBIC, expand=True)
    box = arguments["bbox_2d"]
    if frame == "norm1000_yx":
        box = [box[1], box[0], box[3], box[2]]
    across, down = seen if frame == "pixel" else (1000, 1000)
    x, y = image.width / across, image.height / down
    assert 0 <= box[0] < box[2] <= across, box
    assert 0 <= box[1] < box[3] <= down, box
    cut = image.crop((round(box[0] * x), round(box[1] * y), round(box[2] * x), round(box[3] * y)))
    grow = min(640 / max(cut.size), 8)
    size = (max(round(cut.width * grow), 28), max(round(cut.height * grow), 28))
    return cut.resize(size, Image.Resampling.BICUBIC) if grow > 1 else cut


def reduced(image: Image.Image) -> Image.Image:
    """The image as it is sent: at most MAX_PIXELS."""
    shrink = (MAX_PIXELS / (image.width * image.height)) ** 0.5
    if shrink >= 1:
        return image
    size = (int(image.width * shrink), int(image.height * shrink))
    return image.resize(size, Image.Resampling.LANCZOS)


def jpeg(image: Image.Image, **options: Any) -> bytes:
    """Encode as a client would."""
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=90, **options)
    return buffer.getvalue()


def image_part(data: bytes) -> dict[str, Any]:
    """One image as a content part."""
    url = "data:image/jpeg;base64," + base64.b64encode(data).decode()
    return {"type": "image_url", "image_url": {"url": url}}


def boxed(text: str) -> tuple[float, float] | None:
    """Latitude and longitude from the answer's box."""
    match = re.search(r"<answer>\\boxed\{(-?[\d.]+), (-?[\d.]+)\}</answer>", text)
    return None if match is None else (float(match[1]), float(match[2]))


def off_by_km(answer: tuple[float, float] | None, lat: float, lon: float) -> float:
    """Distance from an answer to a place."""
    assert answer is not None
    return float(great_circle_km(lat, lon, np.array([answer[0]]), np.array([answer[1]]))[0])
