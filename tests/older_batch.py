"""Writes trace files as an older script did, with images that it really made of photos."""

from __future__ import annotations

import base64
import io
import json
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from PIL import Image

from geostore.dataset import PhotoDataset
from geostore.imaging import decode
from geostore.rewards.numeric import haversine_km
from tests.trace_files import QUESTION, SYSTEM

Part = tuple[float, float, float, float]
"""Left, top, right and bottom of a region, as parts of the image."""
Step = Part | float
"""What a teacher asks for in a turn: to zoom into a region, or to turn by so many degrees."""

LOOKS: tuple[Step, ...] = ((0.1, 0.2, 0.45, 0.7), (0.5, 0.3, 0.9, 0.8))
"""Two zooms, a turn each."""


@dataclass(frozen=True)
class OlderScript:
    """A script that asks a teacher, and how it makes images."""

    frame: Literal["norm1000", "pixel", "full_pixel", "relative", "norm1000_yx"] = "norm1000"
    cut_from: Literal["full", "sent"] = "full"
    resample: Image.Resampling = Image.Resampling.BICUBIC
    quality: int | None = 85  # None: a PNG
    recompressed: int | None = None  # the quality with which another script wrote its JPEGs again
    longest: int = 280  # pixels of the photo's long side, as it is sent
    edge: Callable[[float], int] = round

    def trace(
        self,
        photo: bytes,
        row: dict[str, Any],
        index: int,
        *,
        steps: Sequence[Step],
        answer: str,
        distance_km: float,
    ) -> dict[str, Any]:
        """A trace file of the first form. row: the sample's columns."""
        full = decode(photo)
        sent = self._resized(full, min(1.0, self.longest / max(full.size)))
        table = full if self.cut_from == "full" else sent
        shown = sent.size
        opening = [_image(self._url(sent)), {"type": "text", "text": QUESTION}]
        history: list[dict[str, Any]] = [
            {"role": "system", "content": SYSTEM},
            {"role": "user", "content": opening},
        ]
        turns: list[dict[str, Any]] = []
        calls: list[dict[str, Any]] = []
        for turn, step in enumerate(steps, 1):
            if isinstance(step, tuple):
                call, image = self._zoom(step, table, shown)
            else:
                call = {"name": "image_rotate_tool", "arguments": {"angle": step}}
                table = table.rotate(step, Image.Resampling.BICUBIC, expand=True)
                image = self._resized(table, min(1.0, self.longest / max(table.size)))
                shown = image.size
            words = f"A closer look.\n<tool_call>\n{json.dumps(call)}\n</tool_call>"
            turns.append(_turn(turn, history, words))
            calls.append({"turn": turn, "tool_call": call, "success": True})
            content = [
                {"type": "text", "text": "<tool_response>"},
                _image(self._url(image)),
                {"type": "text", "text": "</tool_response>"},
            ]
            history = [
                *history,
                {"role": "assistant", "content": words},
                {"role": "user", "content": content},
            ]
        turns.append(_turn(len(turns) + 1, history, answer))
        return {
            "dataset_path": "/data/gaea_wlp/train",
            "sample_index": index,
            "sample_data": row,
            "conversation_history": turns,
            "final_response": answer,
            "reward_score": {
                "score": math.exp(-distance_km / 2000),
                "distance@km": distance_km,
                "parse_success": True,
            },
            "tool_calls": calls,
            "metadata": {"total_turns": len(turns), "num_tool_calls": len(calls)},
        }

    def write(
        self,
        folder: Path,
        dataset_path: Path,
        *,
        rows: Sequence[int] = (0, 1, 2),
        steps: Sequence[Step] = LOOKS,
        away: float = 1.0,
    ) -> list[Path]:
        """Write the traces of some rows. away: degrees of latitude between answer and truth."""
        dataset = PhotoDataset.open(dataset_path)
        folder.mkdir(parents=True, exist_ok=True)
        paths = []
        for index in rows:
            sample = dataset.read_sample(index)
            row = {
                "lat": sample.lat,
                "lon": sample.lon,
                "locatability_score": sample.locatability_score,
                "country": sample.country,
            }
            # Away from the nearer pole, so that it stays on the globe.
            guess = sample.lat - away if sample.lat > 0 else sample.lat + away
            distance_km = float(haversine_km(sample.lat, sample.lon, guess, sample.lon))
            place = f"{guess}, {sample.lon}"
            answer = f"I recognise it. <answer>\\boxed{{{place}}}</answer>"
            photo = dataset.photo_bytes(index)
            document = self.trace(
                photo, row, index, steps=steps, answer=answer, distance_km=distance_km
            )
            paths.append(folder / f"trace_{index:05d}.json")
            paths[-1].write_text(json.dumps(document), encoding="utf-8")
        return paths

    def _zoom(
        self, part: Part, table: Image.Image, shown: tuple[int, int]
    ) -> tuple[dict[str, Any], Image.Image]:
        scale = {"pixel": shown, "full_pixel": table.size, "relative": (1, 1)}
        width, height = scale.get(self.frame, (1000, 1000))
        numbers: list[float] = [
            round(edge * side, 3) if self.frame == "relative" else round(edge * side)
            for edge, side in zip(part, (width, height) * 2, strict=True)
        ]
        cut = [
            self.edge(number * pixels / side)
            for number, pixels, side in zip(
                numbers, table.size * 2, (width, height) * 2, strict=True
            )
        ]
        image = table.crop((cut[0], cut[1], cut[2], cut[3]))
        image = self._resized(image, max(1.0, 112 / min(image.size)))
        if self.frame == "norm1000_yx":
            numbers = [numbers[1], numbers[0], numbers[3], numbers[2]]
        arguments = {"bbox_2d": numbers, "label": "a sign"}
        return {"name": "image_zoom_in_tool", "arguments": arguments}, image

    def _resized(self, image: Image.Image, scale: float) -> Image.Image:
        size = (max(28, round(image.width * scale)), max(28, round(image.height * scale)))
        return image if size == image.size else image.resize(size, self.resample)

    def _url(self, image: Image.Image) -> str:
        data = _encoded(image, self.quality)
        if self.recompressed is not None:
            data = _encoded(Image.open(io.BytesIO(data)), self.recompressed)
        kind = "png" if self.quality is None else "jpeg"
        return f"data:image/{kind};base64,{base64.b64encode(data).decode()}"


def without_images(document: dict[str, Any]) -> dict[str, Any]:
    """The same trace in the later form, which holds the words and no images."""
    common = {
        name: document[name]
        for name in ("dataset_path", "sample_index", "sample_data", "final_response")
    }
    return {
        **common,
        "reward_score": document["reward_score"],
        "metadata": document["metadata"],
        "initial_prompt": {"system": SYSTEM, "user": QUESTION, "tools_mode": "text"},
        "conversation_log": [
            {
                "turn": turn["turn"],
                "assistant_response": turn["response"],
                "usage": turn["usage"],
            }
            for turn in document["conversation_history"]
        ],
        "tool_calls_log": [
            {
                "turn": call["turn"],
                "tool_name": call["tool_call"]["name"],
                "tool_arguments": call["tool_call"]["arguments"],
                "success": True,
            }
            for call in document["tool_calls"]
        ],
    }


def images_of_file(path: Path) -> list[bytes]:
    """The images in the last request of a trace file, in order."""
    last = json.loads(path.read_text(encoding="utf-8"))["conversation_history"][-1]["messages"]
    parts = [p for m in last if isinstance(m["content"], list) for p in m["content"]]
    urls = [part["image_url"]["url"] for part in parts if part["type"] == "image_url"]
    return [base64.b64decode(url.partition(",")[2]) for url in urls]


def _encoded(image: Image.Image, quality: int | None) -> bytes:
    buffer = io.BytesIO()
    if quality is None:
        image.save(buffer, "PNG")
    else:
        image.save(buffer, "JPEG", quality=quality)
    return buffer.getvalue()


def _image(url: str) -> dict[str, Any]:
    return {"type": "image_url", "image_url": {"url": url}}


def _turn(turn: int, history: list[dict[str, Any]], response: str) -> dict[str, Any]:
    usage = {"prompt_tokens": 900, "completion_tokens": 90, "total_tokens": 990}
    return {"turn": turn, "messages": list(history), "response": response, "usage": usage}
