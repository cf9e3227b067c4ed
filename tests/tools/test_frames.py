"""Boxes that look like another frame: flagged when their call runs, counted, and warned of."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from geostore.query.reader import run_query
from geostore.query.stats import format_text, stats
from geostore.records import BboxFrame, ImageFacts, ToolCall
from geostore.store import Store
from geostore.tools.frames import (
    LEAST_BOXES,
    FrameAlarm,
    flagged_frames,
    looks_like,
    names_box,
    with_frame_flags,
)
from tests.builders import StoreBuilder, played_recipe, recipe_of
from tests.conftest import photo_bytes, save_dataset
from tests.minds import ZOOM, answer, text_call, turns_so_far
from tests.questioned import wilson
from tests.running import Notes, run
from tests.teacher_server import Body, Reply, teacher_server

WIDE = ImageFacts("0" * 64, 1154, 866, 4000, 3000)
TALL = ImageFacts("0" * 64, 560, 840, 560, 840)


@pytest.mark.parametrize(
    ("frame", "box", "image", "found"),
    [
        # Ordinary boxes, and edges that are overshot by a careless hand.
        ("norm1000", (0, 0, 1000, 1000), WIDE, set()),
        ("norm1000", (500, 500, 1010, 1015), WIDE, set()),
        ("norm1000_yx", (0, 100, 900, 1000), WIDE, set()),
        ("pixel", (0, 0, 1154, 866), WIDE, set()),
        ("pixel", (900, 500, 1170, 880), WIDE, set()),
        # What contradicts the frame and has another reading.
        ("norm1000", (1040, 100, 1150, 700), WIDE, {"pixel"}),
        ("norm1000", (1040, 100, 2400, 700), WIDE, {"full_pixel"}),
        ("norm1000_yx", (700, 1040, 800, 1150), WIDE, {"pixel_yx", "full_pixel"}),
        ("pixel", (100, 600, 300, 1100), WIDE, {"pixel_yx", "full_pixel"}),
        ("pixel", (900, 600, 950, 990), WIDE, {"norm1000", "full_pixel"}),
        ("pixel", (2000, 600, 3000, 1990), WIDE, {"full_pixel"}),
        ("pixel", (700, 100, 800, 500), TALL, {"norm1000", "pixel_yx"}),
        # Fractions fit every frame and mean something in none.
        ("norm1000", (0.1, 0.2, 0.5, 0.9), WIDE, {"relative"}),
        ("pixel", (0, 0, 1, 1), WIDE, {"relative"}),
        ("pixel", (0, 0, 0, 0), WIDE, set()),
        # What no frame explains is a bad box, not another frame.
        ("norm1000", (-20, 0, 1100, 500), WIDE, set()),
        ("pixel", (9000, 0, 9500, 500), WIDE, set()),
    ],
)
def test_a_box_is_odd_where_it_does_not_fit_its_frame_and_fits_another(
    frame: BboxFrame, box: tuple[float, ...], image: ImageFacts, found: set[str]
) -> None:
    assert looks_like(frame, box, image) == found


def test_every_call_keeps_which_frames_would_explain_its_box(tmp_path: Path) -> None:
    """Two hundred boxes of all sizes, on a wide and a tall photo, in every frame."""
    photos = [photo_bytes(1, size=(1500, 450)), photo_bytes(2, size=(1100, 1650))]
    path, rng = tmp_path / "geostore.db", random.Random(4)
    with Store.open(path, create=True, durability="normal") as store:
        builder = StoreBuilder(store, save_dataset(tmp_path / "photos", photos))
        for frame in ("pixel", "norm1000", "norm1000_yx"):
            recipe = recipe_of(model="m", protocol="text", bbox_frame=frame, max_pixels=700_000)
            for row in range(len(photos)):
                script = ["".join(_any_call(rng) for _ in range(3)) for _ in range(11)]
                builder.play(row, [*script, answer(1, 1)], recipe=recipe, turn_limit=12)
        expected = {}
        for trace_id in range(1, 7):
            stored = store.traces.get_trace(trace_id)
            images = [stored.photo] if stored.photo else []
            recipe = played_recipe(stored)
            for call in stored.calls:
                if names_box(call):
                    box = json.loads(call.arguments or call.raw_arguments)["bbox_2d"]
                    source = images[call.source_index or 0]
                    frames = looks_like(recipe.bbox_frame, box, source)
                    expected[trace_id, call.turn, call.call_index] = frames
                    assert set(flagged_frames(call)) == frames
                else:
                    assert flagged_frames(call) == ()
                if call.image is not None:
                    images.append(call.image)
    columns = ("pixel", "norm1000", "relative", "pixel_yx", "full_pixel")
    rows = run_query(
        path,
        "select trace_id, turn, call_index, odd, "
        f"{', '.join(f'as_{name}' for name in columns)} from boxes",
    ).rows
    counted = {
        row[:3]: frozenset(name for name, holds in zip(columns, row[4:], strict=True) if holds)
        for row in rows
    }
    assert counted == expected
    assert all(row[3] == any(row[4:]) for row in rows)
    kinds = {name for frames in expected.values() for name in frames}
    assert kinds == set(columns), "the boxes show every kind"
    assert frozenset() in expected.values()
    refused = run_query(path, "select count(*) from boxes where odd and not success").rows
    assert refused[0][0] > 0, "a refused call is flagged too"


def _any_call(rng: random.Random) -> str:
    """A call in JSON of many kinds, also with a box that is none, and of an image that is none."""
    across = rng.choice([1, 1, 300, 600, 1000, 1100, 1500, 2000])
    down = across * rng.choice([1, 0.3]) if across > 1 else 1
    x1, x2 = sorted(round(rng.uniform(-0.02, 1) * across, 2) for _ in range(2))
    y1, y2 = sorted(round(rng.uniform(-0.02, 1) * down, 2) for _ in range(2))
    box = rng.choice([[x1, y1, x2, y2], [x2, y2, x1, y1], [x1, y1, x2, y2]])
    arguments: dict[str, object] = {"bbox_2d": box}
    if rng.random() < 0.1:
        arguments["bbox_2d"] = rng.choice([box[:3], [*box[:3], "9"], "[1, 2, 3, 4]", None, True])
    if rng.random() < 0.2:
        arguments["img_idx"] = rng.choice([0, 1, 2, 99])
    return text_call(ZOOM, arguments)


# --- the alarm ------------------------------------------------------------------------------


def call_with(box: list[float]) -> Reply:
    return Reply(text_call(ZOOM, {"bbox_2d": box}))


def in_pixels(body: Body) -> Reply:
    """Six boxes in pixels of a photo that is sent 1333 wide, two of them past 1000."""
    turn = turns_so_far(body)
    return call_with([300 + 150 * turn, 100, 450 + 150 * turn, 700]) if turn < 6 else _end()


def in_thousandths(body: Body) -> Reply:
    turn = turns_so_far(body)
    return call_with([100 * turn, 100, 100 * turn + 300, 1000]) if turn < 6 else _end()


def _end() -> Reply:
    return Reply(answer(1.0, 2.0))


@pytest.fixture(scope="module")
def wide_photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    photos = [photo_bytes(seed, size=(1600, 900)) for seed in range(3)]
    return save_dataset(tmp_path_factory.mktemp("data") / "wide", photos)


def test_a_run_says_once_that_the_boxes_look_like_another_frame(
    wide_photos: Path, tmp_path: Path
) -> None:
    notes = Notes()
    path = tmp_path / "geostore.db"
    with teacher_server(in_pixels) as server:
        run(server.url, wide_photos, path, notes=notes, recipe={"bbox_frame": "norm1000"})
    (said,) = (notice for notice in notes.notices if "another frame" in notice)
    assert "do not fit it" in said
    assert "--bbox-frame pixel" in said
    found = stats(path)
    assert found.store.odd_boxes == 6
    (recipe,) = found.recipes
    assert found.store.frame_alarms == {recipe.recipe: "pixel"}
    assert "geostore query frame_alarm" in format_text(found)
    result = run_query(path, "frame_alarm")
    (row,) = (dict(zip(result.columns, row, strict=True)) for row in result.rows)
    assert (row["boxes"], row["odd"], row["share"]) == (18, 6, pytest.approx(1 / 3))
    assert (row["share_low"], row["share_high"]) == pytest.approx(wilson(6, 18))
    assert (row["alarm"], row["looks_like"]) == (True, "pixel")


def test_a_run_whose_boxes_fit_says_nothing(wide_photos: Path, tmp_path: Path) -> None:
    notes = Notes()
    path = tmp_path / "geostore.db"
    with teacher_server(in_thousandths) as server:
        run(server.url, wide_photos, path, notes=notes, recipe={"bbox_frame": "norm1000"})
    assert [notice for notice in notes.notices if "frame" in notice] == []
    assert stats(path).store.frame_alarms == {}


def test_a_few_odd_boxes_among_many_raise_no_alarm() -> None:
    said: list[str] = []
    alarm = FrameAlarm("norm1000", notice=said.append)
    odd, ordinary = [1040, 100, 1150, 700], [10, 10, 500, 500]
    for number in range(400):
        alarm.add(_call(odd if number % 40 == 39 else ordinary, "norm1000"))
    assert (alarm.boxes, alarm.odd) == (400, 10)
    assert said == []


def test_the_alarm_waits_for_more_than_a_few_boxes() -> None:
    said: list[str] = []
    alarm = FrameAlarm("pixel", notice=said.append)
    for number in range(LEAST_BOXES + 3):
        alarm.add(_call([0.1, 0.1, 0.5, 0.5], "pixel"))
        assert len(said) == (number + 1 >= LEAST_BOXES)
    assert "fractions from 0 to 1" in said[0]


def test_the_flags_of_a_call_stay_sorted_and_are_put_down_once() -> None:
    call = replace(_call([1040, 100, 1150, 700], "pixel"), flags=("clamped", "repaired"))
    flagged = with_frame_flags(call, "norm1000", [WIDE])
    assert flagged.flags == ("clamped", "looks_like:pixel", "repaired")
    assert with_frame_flags(flagged, "norm1000", [WIDE]) == flagged


def test_a_call_without_a_box_of_a_known_image_gets_no_flag() -> None:
    call = _call([0.1, 0.1, 0.5, 0.5], "pixel", source_index=3)
    assert call.flags == ()


def _call(box: Sequence[float], frame: BboxFrame, *, source_index: int = 0) -> ToolCall:
    """A refused call of `box` on a wide photo, flagged as the toolbench flags it."""
    call = ToolCall(
        turn=1,
        call_index=0,
        name=ZOOM,
        raw_arguments=json.dumps({"bbox_2d": box}),
        arguments=None,
        source_index=source_index,
        box=None,
        angle=None,
        success=False,
        error_kind="bbox_outside",
        flags=(),
        observation="",
        image=None,
        image_index=None,
    )
    return with_frame_flags(call, frame, [WIDE])
