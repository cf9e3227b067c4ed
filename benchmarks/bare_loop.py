"""The loop one would write without geostore: the same conversations, and nothing is stored.

This is the yardstick of `generate_cpu`, so it is written as well as such a loop ordinarily is: the
photo is decoded once a trace, images are worked on in threads so that requests go on meanwhile,
each image is encoded and put into base64 once, and the history is kept as message dicts that the
client sends as they are. It reads calls with a small regular expression, believes what it reads,
and forgets a trace once it has its answer. Prompts, sizes and JPEG quality are taken from
geostore's recipe, so that both ask the same with the same images.
"""

from __future__ import annotations

import asyncio
import base64
import io
import json
import re
from dataclasses import dataclass
from typing import Any

import datasets
from openai import AsyncOpenAI
from PIL import Image

from geostore.imaging import fit_size
from geostore.records import ImageLimits, Recipe

_CALL = re.compile(r"<tool_call>\s*(\{.*?\})\s*</tool_call>", re.DOTALL)
_ANSWER = re.compile(r"\\boxed\{\s*(-?[\d.]+)\s*,\s*(-?[\d.]+)\s*\}")


@dataclass(frozen=True)
class Shown:
    """An image of a conversation: pixels at full resolution, and what was sent of it."""

    pixels: Image.Image
    size: tuple[int, int]
    url: str

    @property
    def part(self) -> dict[str, Any]:
        """The image as a part of a message."""
        return {"type": "image_url", "image_url": {"url": self.url}}


async def play_all(
    dataset: datasets.Dataset, recipe: Recipe, *, url: str, samples: int, concurrency: int
) -> int:
    """Play a trace for each of the first rows; how many turns that took.

    dataset: its images not decoded (`Image(decode=False)`).
    """
    free = asyncio.Semaphore(concurrency)

    # The usual 5 seconds for a connection are too few for hundreds at once on a busy machine.
    async with AsyncOpenAI(base_url=url, api_key="none", max_retries=0, timeout=600) as client:

        async def one(index: int) -> int:
            async with free:
                data = dataset[index]["image"]["bytes"]
                turns, answer = await play(client, recipe, data)
                assert answer is not None
                return turns

        return sum(await asyncio.gather(*map(one, range(samples))))


async def play(
    client: AsyncOpenAI, recipe: Recipe, photo: bytes, *, turn_limit: int = 10
) -> tuple[int, tuple[float, float] | None]:
    """Play one trace; its turns and its answer."""
    limits = recipe.limits
    table = await asyncio.to_thread(open_photo, photo, limits)
    count = 1
    prompt = recipe.user_prompt.replace("{photo_size}", "{} x {}".format(*table.size))
    messages: list[Any] = [
        {"role": "system", "content": recipe.system_prompt},
        {"role": "user", "content": [table.part, {"type": "text", "text": prompt}]},
    ]
    for turn in range(1, turn_limit + 1):
        completion = await client.chat.completions.create(
            model=recipe.model,
            messages=messages,
            temperature=recipe.temperature,
            max_tokens=recipe.max_tokens,
        )
        response = completion.choices[0].message.content or ""
        messages.append({"role": "assistant", "content": response})
        written = _CALL.search(response)
        if written is None:
            found = _ANSWER.search(response)
            return turn, (float(found[1]), float(found[2])) if found else None
        call = json.loads(written[1])
        if call["name"] == "image_zoom_in_tool":
            shown = await asyncio.to_thread(zoom, table, call["arguments"]["bbox_2d"], limits)
            told = f"zoom into the photo, box {call['arguments']['bbox_2d']}."
        else:
            shown = table = await asyncio.to_thread(
                rotate, table, call["arguments"]["angle"], limits
            )
            told = f"the photo turned {call['arguments']['angle']} degrees counter-clockwise."
        told = f"\nImage {count} ({shown.size[0]} x {shown.size[1]} pixels): {told}"
        count += 1
        messages.append(
            {
                "role": "user",
                "content": [
                    {"type": "text", "text": "<tool_response>\n"},
                    shown.part,
                    {"type": "text", "text": f"{told}\n</tool_response>"},
                ],
            }
        )
    return turn_limit, None


def open_photo(data: bytes, limits: ImageLimits) -> Shown:
    """The photo; where it needs no other size, it is sent as it is stored."""
    image: Image.Image = Image.open(io.BytesIO(data))
    image.load()
    if image.mode != "RGB":
        image = image.convert("RGB")
    if fit_size(*image.size, limits, enlarge_short_side=limits.min_side) == image.size:
        return Shown(image, image.size, _url(data))
    return _shown(image, limits, limits.min_side)


def zoom(shown: Shown, box: list[float], limits: ImageLimits) -> Shown:
    """The part inside a box on a scale from 0 to 1000."""
    width, height = shown.pixels.size
    scales = (width, height, width, height)
    left, top, right, bottom = (round(v * s / 1000) for v, s in zip(box, scales, strict=True))
    return _shown(shown.pixels.crop((left, top, right, bottom)), limits, limits.zoom_side)


def rotate(shown: Shown, angle: float, limits: ImageLimits) -> Shown:
    turned = shown.pixels.rotate(angle % 360, Image.Resampling.BICUBIC, expand=True)
    return _shown(turned, limits, limits.min_side)


def _shown(pixels: Image.Image, limits: ImageLimits, short_side: int) -> Shown:
    size = fit_size(*pixels.size, limits, enlarge_short_side=short_side)
    sent = pixels if size == pixels.size else pixels.resize(size, Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    sent.save(buffer, "JPEG", quality=limits.quality)
    return Shown(pixels, size, _url(buffer.getvalue()))


def _url(data: bytes) -> str:
    return "data:image/jpeg;base64," + base64.b64encode(data).decode()
