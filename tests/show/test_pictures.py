"""The images a teacher saw as files, and the photo with the boxes where they belong."""

from __future__ import annotations

import hashlib
import io
import json
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageChops
from typer.testing import CliRunner

import geostore
from geostore.cli import app
from geostore.conversation.call_objects import WrittenCall
from geostore.conversation.images import PhotoSource, tool_images
from geostore.conversation.machine import Run
from geostore.conversation.request_form import RequestForm
from geostore.conversation.toolbench import ToolBench
from geostore.errors import GeostoreError
from geostore.imaging import decode
from geostore.records import ImageFacts, ToolCall
from geostore.show.overlay import draw_boxes, labelled_boxes
from geostore.show.pictures import write_seen
from geostore.store import Store
from geostore.tools import apply, current_image_after, derive, outline_on_photo
from geostore.tools.rotate import MAX_ROTATED_PIXELS
from tests.builders import (
    BAD_BOX,
    NO_ANSWER,
    TEXT_RECIPE,
    TURN_LEFT,
    ZOOM_IN,
    StoreBuilder,
    make_dataset,
)
from tests.examples import examples
from tests.minds import ROTATE, ZOOM, answer, text_call
from tests.running import command

CORNER = text_call(ZOOM, {"bbox_2d": [0, 0, 250, 250]})


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with one trace of five turns, and its name in a file beside it."""
    folder = tmp_path_factory.mktemp("images")
    dataset = make_dataset(folder / "photos", rows=2)
    with Store.open(folder / "geostore.db", create=True) as store:
        builder = StoreBuilder(store, dataset)
        script = [ZOOM_IN + CORNER + BAD_BOX, "Hm.", TURN_LEFT, CORNER, answer(10.0, 20.0)]
        (folder / "name").write_text(builder.play(0, script))
        (folder / "other").write_text(builder.play(1, [NO_ANSWER, TURN_LEFT, answer(1, 2)]))
    return folder


@pytest.fixture
def name(folder: Path) -> str:
    return (folder / "name").read_text()


def image(folder: Path, *arguments: str | Path) -> list[Path]:
    """Run the command where it must work; the paths it printed."""
    given = ["image", *map(str, arguments), "--store", str(folder / "geostore.db")]
    ended = CliRunner().invoke(app, given)
    assert ended.exception is None, ended.exception
    return [Path(line) for line in ended.stdout.splitlines()]


def refused(folder: Path, *arguments: str | Path) -> str:
    """Run the command where it must not work; what is then printed as one line."""
    given = ["image", *map(str, arguments), "--store", str(folder / "geostore.db")]
    ended = CliRunner().invoke(app, given)
    assert isinstance(ended.exception, GeostoreError)
    assert ended.stdout == ""
    return str(ended.exception)


def test_the_command_prints_the_path_in_the_current_folder(
    folder: Path, name: str, tmp_path: Path
) -> None:
    ended = subprocess.run(
        command("image", name, "--store", folder / "geostore.db"),
        capture_output=True,
        text=True,
        cwd=tmp_path,
    )
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, f"{name}_image_0.jpg\n", "")
    assert [path.name for path in tmp_path.iterdir()] == [f"{name}_image_0.jpg"]


def test_the_images_are_written_in_the_bytes_that_were_sent(
    folder: Path, name: str, tmp_path: Path
) -> None:
    (photo,) = image(folder, name, "--out", tmp_path / "seen")
    first = image(folder, name, "--turn", "1", "--out", tmp_path / "seen")
    assert [path.name for path in (photo, *first)] == [f"{name}_image_{n}.jpg" for n in (0, 1, 2)]
    with geostore.open(folder / "geostore.db") as store:
        trace = store.trace(name)
    known = [trace.photo, *(call.image for call in trace.calls if call.turn == 1)]
    hashes = [hashlib.sha256(path.read_bytes()).hexdigest() for path in (photo, *first)]
    assert hashes == [facts.sha256 for facts in known if facts is not None]


def test_every_image_is_written_as_it_was_sent(folder: Path, name: str, tmp_path: Path) -> None:
    """One file per image, by number, with the bytes whose hashes are in the rows."""
    paths = image(folder, name, "--all", "--out", tmp_path / "new" / "folder")
    with geostore.open(folder / "geostore.db") as store:
        trace = store.trace(name)
    facts = [trace.photo, *(call.image for call in trace.calls)]
    expected = [image.sha256 for image in facts if image is not None]
    assert [path.name for path in paths] == [f"{name}_image_{n}.jpg" for n in range(5)]
    assert [hashlib.sha256(path.read_bytes()).hexdigest() for path in paths] == expected


def test_an_image_that_was_left_out_of_its_request_is_not_written(
    folder: Path, name: str, tmp_path: Path
) -> None:
    """The server had no room for it, so the teacher did not see it."""
    with geostore.open(folder / "geostore.db") as store:
        trace = store.trace(name)
    first, second, *others = trace.turns
    left_out = RequestForm(images_left_out="image_limit").to_json()
    trace = replace(trace, turns=(first, replace(second, request_form=left_out), *others))
    paths = write_seen(trace, tmp_path / "seen", PhotoSource(None), every=True)
    assert [path.name for path in paths] == [f"{name}_image_{number}.jpg" for number in (0, 3, 4)]


@pytest.mark.parametrize("other", [["--turn", "1"], ["--overlay"]])
def test_all_images_and_a_choice_among_them_contradict_each_other(
    folder: Path, name: str, other: list[str]
) -> None:
    given = ["image", name, "--all", *other, "--store", str(folder / "geostore.db")]
    assert CliRunner().invoke(app, given).exit_code == 2


def test_one_image_can_be_given_a_name(folder: Path, name: str, tmp_path: Path) -> None:
    wanted = tmp_path / "deep" / "turned.jpg"
    assert image(folder, name, "--turn", "3", "--out", wanted) == [wanted]
    with Image.open(wanted) as turned:
        assert turned.size == (360, 480)


def test_what_cannot_be_written_is_one_line(folder: Path, name: str, tmp_path: Path) -> None:
    assert "those of turns 1, 3, 4 did" in refused(folder, name, "--turn", "2")
    assert "those of turns 1, 4 did" in refused(folder, name, "--turn", "3", "--overlay")
    other = (folder / "other").read_text()
    assert "no call cut a box; none of the trace did" in refused(folder, other, "--overlay")
    two = refused(folder, name, "--turn", "1", "--out", tmp_path / "one.jpg")
    assert "there are 2 images; name a folder" in two
    assert "end the name in .jpg" in refused(folder, name, "--out", tmp_path / "photo.png")
    assert ".jpg or .png" in refused(folder, name, "--overlay", "--out", tmp_path / "a.gif")
    (tmp_path / "file").write_text("")
    blocked = refused(folder, name, "--out", tmp_path / "file" / "a.jpg")
    assert "cannot be written" in blocked


def test_the_photo_with_its_boxes_is_at_full_resolution_and_has_no_metadata(
    folder: Path, name: str, tmp_path: Path
) -> None:
    """Drawn are the boxes and their labels, and nothing far from them."""
    (path,) = image(folder, name, "--overlay", "--out", tmp_path / "boxes.png")
    with geostore.open(folder / "geostore.db") as store:
        photo = store.restore_image(name)
        drawn = store.overlay(name)
        one = store.overlay(name, turn=4)
    with Image.open(path) as written:
        assert written.size == photo.size == (480, 360)
        assert set(written.info) <= {"icc_profile"}
        assert ImageChops.difference(written.convert("RGB"), drawn).getbbox() is None
    changed = differing(photo, drawn)
    assert changed[36, 150]  # the upper edge of [48, 36, 288, 252]
    assert changed[200, 48]
    assert changed[10, 120]  # the right edge of [0, 0, 120, 90]
    assert not changed[270:, :380].any()
    # Turn 4 cut a quarter from the upper left of the photo turned left: its upper right.
    only = differing(photo, one)
    left, top, right, bottom = ImageChops.difference(photo, one).getbbox() or (0, 0, 0, 0)
    assert abs(left - 360) <= 4
    assert (top, right) == (0, 480)
    assert abs(bottom - 90) <= 4
    assert not only[:, :350].any()


def test_a_dataset_that_moved_can_be_named(tmp_path: Path) -> None:
    dataset = make_dataset(tmp_path / "photos", rows=1)
    with Store.open(tmp_path / "geostore.db", create=True) as store:
        name = StoreBuilder(store, dataset).play(0, [ZOOM_IN, answer(1, 2)])
        unsent = StoreBuilder(store, dataset).play(0, [], rollout=2)
    dataset.rename(tmp_path / "moved")
    todo = "; or say where it is now with --dataset-path"
    for more in ([], ["--overlay"]):
        error = refused(tmp_path, name, *more)
        assert "there is nothing at" in error
        assert error.rstrip().endswith(todo)
    # Whoever names a wrong path knows how.
    assert todo not in refused(tmp_path, name, "--dataset-path", tmp_path / "nowhere")
    for more in ([], ["--overlay"]):
        paths = image(
            tmp_path, name, "--dataset-path", tmp_path / "moved", "--out", tmp_path / "out", *more
        )
        assert [path.is_file() for path in paths] == [True]
    for more in ([], ["--all"]):
        assert "nothing was sent yet" in refused(tmp_path, unsent, *more)
    changed = make_dataset(tmp_path / "changed", rows=1, seed=9)
    assert "has changed since" in refused(tmp_path, name, "--all", "--dataset-path", changed)


def differing(one: Image.Image, other: Image.Image) -> npt.NDArray[np.bool_]:
    """By row and column, whether a pixel has another colour."""
    pixels: npt.NDArray[np.uint8] = np.asarray(ImageChops.difference(one, other))
    return np.asarray(pixels.any(axis=2))


# --- where a box lies ---------------------------------------------------------------------------


def a_map(size: tuple[int, int]) -> Image.Image:
    """A photo in which each pixel says where it is: red is x, green is y."""
    x, y = np.meshgrid(np.arange(size[0]), np.arange(size[1]))
    return Image.fromarray(np.dstack([x, y, np.full_like(x, 255)]).astype(np.uint8))


def played(photo: Image.Image, steps: list[tuple[str, dict[str, object]]]) -> list[ToolCall]:
    """The rows of these calls, run one after another by the real tools."""
    out = io.BytesIO()
    photo.save(out, "PNG")
    bench = ToolBench()
    calls: list[ToolCall] = []
    images = [ImageFacts("a" * 64, *photo.size, *photo.size)]
    for number, (tool, arguments) in enumerate(steps):
        step = Run(
            turn=number + 1,
            call_index=0,
            written=WrittenCall(tool, json.dumps(arguments)),
            refused=False,
            images=tuple(images),
            current_image=current_image_after(calls),
            earlier=tuple(calls),
        )
        call, _ = bench.run(step, TEXT_RECIPE, out.getvalue())
        calls.append(call)
        if call.image is not None:
            images.append(call.image)
    return calls


corner = st.integers(0, 600)
side = st.integers(250, 400)
zoom = st.builds(
    lambda x, y, w, h: (ZOOM, {"bbox_2d": [x, y, x + w, y + h]}), corner, corner, side, side
)
turn = st.builds(
    lambda angle: (ROTATE, {"angle": angle}),
    st.sampled_from([90, 180, -90, 30, 12.5, -200.25, 720]),
)


@settings(max_examples=examples(40), deadline=None)
@given(st.lists(st.tuples(st.one_of(zoom, turn), st.booleans()), min_size=1, max_size=5))
def test_a_box_lies_where_its_pixels_come_from(
    steps: list[tuple[tuple[str, dict[str, Any]], bool]],
) -> None:
    """Through zooms of zooms and turns of any angle, against what the pixels themselves say."""
    photo = a_map((240, 180))
    written = []
    for number, ((tool, arguments), of_the_last) in enumerate(steps):
        named = {"img_idx": number} if of_the_last else {}
        written.append((tool, {**arguments, **named}))
    calls = [call for call in played(photo, written) if call.success]
    facts = ImageFacts("a" * 64, 240, 180, 240, 180)
    # Each turn rounds the size of its canvas to whole pixels.
    slack = 1.5 + 0.5 * sum(call.name == ROTATE for call in calls)
    for call in calls:
        if call.box is None or call.image_index is None:
            continue
        a, b, c, d = outline_on_photo(call, facts, calls)
        result = derive(photo, calls, call.image_index)
        for u, v in ((0.2, 0.2), (0.8, 0.3), (0.5, 0.5), (0.3, 0.8)):
            x, y = int(u * result.width), int(v * result.height)
            pixel = result.getpixel((x, y))
            assert isinstance(pixel, tuple)
            around = result.getchannel(2).crop((x - 4, y - 4, x + 5, y + 5))
            if around.getextrema() != (255, 255):
                continue  # at or past the edge of a canvas that a turn left empty
            expected = [
                a[axis] + u * (b[axis] - a[axis]) + v * (d[axis] - a[axis]) for axis in (0, 1)
            ]
            assert abs(pixel[0] + 0.5 - expected[0]) < slack
            assert abs(pixel[1] + 0.5 - expected[1]) < slack
        assert all(abs(a[n] + c[n] - b[n] - d[n]) < 1e-6 for n in (0, 1))


def test_a_photo_that_was_reduced_to_be_turned_is_scaled_back() -> None:
    """A canvas past the bound: the middle of the turned image is the middle of the photo."""
    width, height = 5000, 4000
    assert width * height < MAX_ROTATED_PIXELS < (width + height) ** 2 / 2
    turned, zoomed = played(
        a_map((64, 48)), [(ROTATE, {"angle": 45}), (ZOOM, {"bbox_2d": [400, 400, 600, 600]})]
    )
    across, down = apply(turned, Image.new("L", (width, height))).size
    assert turned.image is not None
    turned = replace(turned, image=ImageFacts("", across, down, across, down))
    box = (across * 9 // 20, down * 9 // 20, across * 11 // 20, down * 11 // 20)
    corners = outline_on_photo(
        replace(zoomed, box=box), ImageFacts("", width, height, width, height), [turned, zoomed]
    )
    xs, ys = zip(*corners, strict=True)
    assert abs(sum(xs) / 4 - width / 2) < 2
    assert abs(sum(ys) / 4 - height / 2) < 2
    # A tenth of the turned canvas, whose side is the sum of the photo's by the root of two.
    assert max(xs) - min(xs) == pytest.approx((width + height) / 10, rel=0.01)


# --- drawing ------------------------------------------------------------------------------------


def test_boxes_are_labelled_by_turn_and_letter() -> None:
    box = (0, 0, 9, 9)
    call = played(a_map((64, 48)), [(ZOOM, {"bbox_2d": [0, 0, 900, 900]})])[0]
    turns = [replace(call, turn=turn, box=box) for turn in (1, 2, 2, 3)]
    failed = replace(call, turn=3, success=False, box=None)
    assert list(labelled_boxes([*turns, failed])) == ["1", "2a", "2b", "3"]
    many = [replace(call, turn=1, call_index=n) for n in range(28)]
    assert list(labelled_boxes(many))[-3:] == ["1z", "1aa", "1ab"]


@pytest.mark.parametrize("ground", ["black", "white", "#F0E442", "#56B4E9", "grey", "red"])
def test_a_box_can_be_seen_on_any_ground(ground: str) -> None:
    """Some of each line is far from the ground in brightness, whichever colour the turn has."""
    photo = Image.new("RGB", (400, 300), ground)
    call = played(photo, [(ZOOM, {"bbox_2d": [400, 400, 700, 800]})])[0]
    base = np.asarray(photo.convert("L")).astype(int)
    for turn in range(1, 8):
        drawn = draw_boxes(photo, [replace(call, turn=turn)], turn=None)
        row = np.asarray(drawn.convert("L")).astype(int)[200] - base[200]
        assert abs(row).max() > 75


@pytest.mark.parametrize("size", [(4, 4), (1, 900), (3000, 40)])
def test_boxes_are_drawn_on_photos_of_any_shape(size: tuple[int, int]) -> None:
    call = played(a_map((64, 48)), [(ZOOM, {"bbox_2d": [0, 0, 900, 900]})])[0]
    photo = Image.new("RGB", size)
    drawn = draw_boxes(photo, [replace(call, box=(0, 0, 1, 1))], turn=None)
    assert drawn.size == size


# --- what is derived ----------------------------------------------------------------------------


def test_images_made_in_one_pass_are_those_made_one_by_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """And each source is turned once, however many zooms are cut from it."""
    photo = a_map((240, 180))
    steps: list[tuple[str, dict[str, object]]] = [
        (ROTATE, {"angle": 33}),
        (ZOOM, {"bbox_2d": [300, 300, 600, 600]}),
        (ZOOM, {"bbox_2d": [350, 300, 650, 600]}),
        (ROTATE, {"angle": 90, "img_idx": 2}),
        (ZOOM, {"bbox_2d": [100, 100, 700, 700], "img_idx": 1}),
        (ZOOM, {"bbox_2d": [100, 100, 700, 700], "img_idx": 4}),
        (ZOOM, {"bbox_2d": [100, 100, 700, 700], "img_idx": 0}),
    ]
    calls = played(photo, steps)
    assert all(call.success for call in calls)
    turned: list[float] = []
    real: Callable[..., Image.Image] = Image.Image.rotate

    def rotate(self: Image.Image, angle: float, *rest: object, **more: object) -> Image.Image:
        turned.append(angle)
        return real(self, angle, *rest, **more)

    monkeypatch.setattr(Image.Image, "rotate", rotate)
    made = list(tool_images(photo, TEXT_RECIPE, calls, with_pixels=True))
    assert [image.facts for _, image in made] == [call.image for call in calls]
    assert turned == [33, 90]


def test_the_photo_of_a_trace_is_upright_before_boxes_are_drawn(tmp_path: Path) -> None:
    """Boxes are in pixels of the photo as it is meant to be seen."""
    exif = Image.Exif()
    exif[0x0112] = 6
    out = io.BytesIO()
    a_map((240, 180)).save(out, "JPEG", exif=exif)
    assert decode(out.getvalue()).size == (180, 240)
    from tests.conftest import save_dataset

    dataset = save_dataset(tmp_path / "photos", [out.getvalue()])
    with Store.open(tmp_path / "geostore.db", create=True) as store:
        name = StoreBuilder(store, dataset).play(0, [CORNER, answer(1, 2)])
    with geostore.open(tmp_path / "geostore.db") as opened:
        plain, drawn = opened.restore_image(name), opened.overlay(name)
    assert drawn.size == (180, 240)
    left, top, right, bottom = ImageChops.difference(plain, drawn).getbbox() or (0, 0, 0, 0)
    assert (left, top) == (0, 0)
    assert abs(right - 45) <= 4
    assert abs(bottom - 60) <= 4
