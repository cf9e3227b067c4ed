"""The parts of one trace, as the records that a store takes: a dataset, a sample, a turn, calls."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from geostore.conversation.recipe import make_recipe
from geostore.records import DatasetFacts, ImageFacts, PhotoFacts, Sample, ToolCall, Turn
from geostore.store import Store

DATASET = DatasetFacts("/data/photos", "photos", "f00d", None, 9, ("image", "lat"), {"lat": "lat"})
SAMPLE = Sample(
    sample_index=3,
    lat=48.0,
    lon=11.0,
    locatability_score=0.25,
    country="germany",
    columns={"city": "München", "year": 2019},
    photo=PhotoFacts("ab" * 32, 2048, 1536, "JPEG"),
)
RECIPE = make_recipe(model="test")
SENT = ImageFacts("cd" * 32, 640, 480, 2048, 1536, pixels_xxh128="ef" * 16)
TURN = Turn(
    turn=1,
    response="Ein Schild: „Weßling“ 🛑",
    reasoning="hm",
    reasoning_source="think",
    native_calls=None,
    finish_reason="stop",
    turn_limit=10,
    request_sha256="ef" * 32,
    prompt_tokens=10,
)
CALL = ToolCall(
    turn=1,
    call_index=0,
    name="image_zoom_in_tool",
    raw_arguments='{"bbox_2d": [0, 0, 10, 10]}',
    arguments='{"bbox_2d":[0,0,10,10]}',
    source_index=0,
    box=(0, 0, 20, 15),
    angle=None,
    success=True,
    error_kind=None,
    flags=("clamped",),
    observation="Image 1 (64 x 48 pixels): ...",
    image=ImageFacts("12" * 32, 64, 48, 20, 15, pixels_xxh128="34" * 16),
    image_index=1,
)
BAD_CALL = replace(
    CALL,
    call_index=1,
    arguments=None,
    box=None,
    success=False,
    error_kind="box_empty",
    flags=(),
    image=None,
    image_index=None,
)


def turn_of(number: int, **members: Any) -> Turn:
    """A turn like `TURN` with another number, whose tokens are what is given."""
    return replace(TURN, turn=number, **{"prompt_tokens": None, **members})


def start_run(store: Store) -> int:
    return store.runs.start_run(arguments={}, versions={}, host="h", pid=1, process_started=None)
