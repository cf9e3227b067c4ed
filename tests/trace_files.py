"""Writes trace files as the older scripts wrote them, in both their forms."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

SYSTEM = "You are a geolocation expert. # Tools ..."
QUESTION = "Where was this photo taken?"
PHOTO = b"\xff\xd8 the photo, as it was sent"
ZOOMED = b"\xff\xd8 what the zoom gave"
CALL = (
    "A sign.\n<tool_call>\n"
    '{"name": "image_zoom_in_tool", "arguments": {"bbox_2d": [1, 2, 30, 40]}}\n</tool_call>'
)


def data_url(image: bytes) -> str:
    return "data:image/jpeg;base64," + base64.b64encode(image).decode()


def final(lat: float, lon: float) -> str:
    return f"It is there. <answer>\\boxed{{{lat}, {lon}}}</answer>"


def _common(index: int, *, answer: str, lat: float, lon: float, **more: Any) -> dict[str, Any]:
    return {
        "dataset_path": "/data/gaea_wlp/train",
        "sample_index": index,
        "sample_data": {
            "lat": lat,
            "lon": lon,
            "locatability_score": 0.25,
            "country": "france",
            "city": "Paris",
        },
        "final_response": answer,
        "reward_score": {
            "score": 0.75,
            "distance@km": 400.5,
            "geoguessr@point": 3823.0,
            "parse_success": True,
            "acc@1km": 0.0,
            "acc@25km": 0.0,
            "acc@200km": 0.0,
            "acc@750km": 1.0,
            "acc@2500km": 1.0,
        },
        "metadata": {"total_turns": 2, "num_tool_calls": 1, "parse_success": True},
        **more,
    }


def history(
    index: int,
    *,
    answer: str | None = None,
    lat: float | None = None,
    lon: float | None = None,
    mode: str = "full",
    **more: Any,
) -> dict[str, Any]:
    """The first form: two turns, a zoom between them, every image inside the messages."""
    lat, lon = (10.0 + index if lat is None else lat), (20.0 + index if lon is None else lon)
    answer = final(lat, lon) if answer is None else answer
    first = [
        {"role": "system", "content": SYSTEM},
        {
            "role": "user",
            "content": [
                {"type": "image_url", "image_url": {"url": data_url(PHOTO)}},
                {"type": "text", "text": QUESTION},
            ],
        },
    ]
    fresh = [
        {"role": "assistant", "content": CALL},
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "<tool_response>"},
                {"type": "image_url", "image_url": {"url": data_url(ZOOMED)}},
                {"type": "text", "text": "</tool_response>"},
            ],
        },
    ]
    second = {"full": first + fresh, "delta": fresh, "last": first + fresh}[mode]
    usage = {"prompt_tokens": 900, "completion_tokens": 90, "total_tokens": 990}
    turns = [
        {
            "turn": 1,
            "messages": [] if mode == "last" else first,
            "response": CALL,
            "usage": usage,
        },
        {"turn": 2, "messages": second, "response": answer, "usage": usage},
    ]
    return {
        **_common(index, answer=answer, lat=lat, lon=lon),
        "conversation_history": turns,
        "tool_calls": [
            {
                "turn": 1,
                "tool_call": {
                    "name": "image_zoom_in_tool",
                    "arguments": {"bbox_2d": [1, 2, 30, 40]},
                },
                "success": True,
            }
        ],
        **more,
    }


def log(
    index: int,
    *,
    answer: str | None = None,
    lat: float | None = None,
    lon: float | None = None,
    **more: Any,
) -> dict[str, Any]:
    """The later form: one prompt, then what the teacher said; a call that failed."""
    lat, lon = (10.0 + index if lat is None else lat), (20.0 + index if lon is None else lon)
    answer = final(lat, lon) if answer is None else answer
    return {
        **_common(index, answer=answer, lat=lat, lon=lon),
        "initial_prompt": {
            "system": SYSTEM,
            "user": QUESTION,
            "tools": [{"type": "function", "function": {"name": "image_zoom_in_tool"}}],
            "tools_mode": "text",
        },
        "conversation_log": [
            {
                "turn": 1,
                "assistant_response": CALL,
                "usage": {"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3},
            },
            {"turn": 2, "assistant_response": f"<think>Hm.</think>{answer}", "usage": None},
        ],
        "tool_calls_log": [
            {
                "turn": 1,
                "tool_name": "image_zoom_in_tool",
                "tool_arguments": {"bbox_2d": [1, 2, 30, 40]},
                "success": False,
            }
        ],
        **more,
    }


def write(folder: Path, document: Any, name: str | None = None) -> Path:
    """Write a document as the older scripts did, under the name of its row or another."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / (name or f"trace_{document['sample_index']:05d}.json")
    text = document if isinstance(document, str) else json.dumps(document, indent=2)
    path.write_text(text, encoding="utf-8")
    return path
