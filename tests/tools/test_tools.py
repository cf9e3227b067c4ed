"""What a call means, what it does to pixels, and what a teacher hears of a bad one."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from PIL import Image

from geostore.conversation.recipe import tool_names
from geostore.errors import ImageError, RecipeError
from geostore.identity import canonical_text
from geostore.imaging import MIN_SIDE, encode, fit_size, resize
from geostore.records import BboxFrame, ImageFacts, ImageLimits, ToolCall
from geostore.tools import (
    DEFAULT_TOOLS,
    ROTATE,
    TOOLS,
    ZOOM,
    BadCall,
    Operation,
    apply,
    current_image_after,
    derive,
    observation,
    present,
    registry,
    rotate,
    tool_schemas,
    understand,
)
from geostore.tools.tool import Meaning, Tool
from tests.builders import recipe_of
from tests.image_samples import noise

FRAMES: tuple[BboxFrame, ...] = ("pixel", "norm1000", "norm1000_yx")
# Sent at half its size, so that the pixel frame is not the source's own.
PHOTO = ImageFacts(sha256="a" * 64, width=500, height=400, full_width=1000, full_height=800)
LIMITS = ImageLimits()


def call(
    name: str,
    arguments: object,
    *,
    frame: BboxFrame = "norm1000",
    images: Sequence[ImageFacts] = (PHOTO,),
    current_image: int = 0,
    earlier: Sequence[ToolCall] = (),
    enabled: Sequence[str] = DEFAULT_TOOLS,
) -> Operation | BadCall:
    raw = arguments if isinstance(arguments, str) else json.dumps(arguments)
    return understand(
        name,
        raw,
        enabled=enabled,
        images=images,
        current_image=current_image,
        frame=frame,
        earlier=earlier,
    )


def good(name: str, arguments: object, **options: Any) -> Operation:
    operation = call(name, arguments, **options)
    assert isinstance(operation, Operation), operation
    return operation


def bad(name: str, arguments: object, **options: Any) -> BadCall:
    refused = call(name, arguments, **options)
    assert isinstance(refused, BadCall), refused
    return refused


def row(operation: Operation, image: Image.Image, image_index: int, text: str = "") -> ToolCall:
    """The row that a call leaves, by way of what is sent."""
    return ToolCall(
        turn=1,
        call_index=image_index - 1,
        name=operation.name,
        raw_arguments=operation.arguments,
        arguments=operation.arguments,
        source_index=operation.source_index,
        box=operation.box,
        angle=operation.angle,
        success=True,
        error_kind=None,
        flags=operation.flags,
        observation=text,
        image=present(image, operation.name, LIMITS).facts,
        image_index=image_index,
    )


class TestSchemas:
    @pytest.mark.parametrize("frame", FRAMES)
    def test_they_are_function_tools_in_the_order_asked_for(self, frame: BboxFrame) -> None:
        schemas = tool_schemas(frame, (ROTATE, ZOOM))
        assert [schema["function"]["name"] for schema in schemas] == [ROTATE, ZOOM]
        for schema in schemas:
            assert schema["type"] == "function"
            assert set(schema["function"]) == {"name", "description", "parameters"}
            parameters = schema["function"]["parameters"]
            assert set(parameters["required"]) <= set(parameters["properties"])
            assert "img_idx" in parameters["properties"]
        assert json.loads(canonical_text(list(schemas))) == list(schemas)

    def test_the_box_says_in_which_frame_it_is(self) -> None:
        said = {
            frame: tool_schemas(frame)[0]["function"]["parameters"]["properties"]["bbox_2d"][
                "description"
            ]
            for frame in FRAMES
        }
        assert "[x1, y1, x2, y2] in pixels" in said["pixel"]
        assert "[x1, y1, x2, y2] on a scale from 0 to 1000" in said["norm1000"]
        assert "[y1, x1, y2, x2] on a scale from 0 to 1000" in said["norm1000_yx"]

    def test_an_unknown_tool_is_a_recipe_error(self) -> None:
        with pytest.raises(RecipeError, match=ZOOM):
            tool_schemas("pixel", ("image_paint_tool",))

    def test_what_a_tool_reads_is_what_its_schema_names(self) -> None:
        for name, tool in TOOLS.items():
            assert name == tool.name
            assert set(tool.required) <= set(tool.properties("pixel"))


MIRROR = Tool(
    name="image_mirror_tool",
    description="Mirror an image.",
    properties=lambda _frame: {"label": {"type": "string"}},
    required=(),
    understand=lambda arguments, _frame: Meaning(arguments={"label": arguments.label() or ""}),
    apply=lambda _call, image: image.transpose(Image.Transpose.FLIP_LEFT_RIGHT),
    effect=lambda _call: {},
    describe=lambda _operation, arguments, frame: f"image {frame.index}, {arguments['label']}.",
    short_side=lambda limits: limits.min_side,
    becomes_current=True,
)


def test_a_further_tool_is_one_more_name_in_the_list(monkeypatch: pytest.MonkeyPatch) -> None:
    """Schema, understanding, pixels, words and derivation all come from its `Tool` alone."""
    name = MIRROR.name
    monkeypatch.setattr(registry, "TOOLS", {**TOOLS, name: MIRROR})
    assert tool_schemas("pixel", (name,))[0]["function"]["name"] == name
    operation = good(name, {"label": "mirrored"}, enabled=(name,))
    photo = noise((60, 40))
    made = row(operation, apply(operation, photo), 1)
    assert derive(photo, [made], 1).getpixel((0, 0)) == photo.getpixel((59, 0))
    assert current_image_after([made]) == 1
    text = observation(operation, PHOTO, image_index=1, images=(PHOTO,), frame="pixel")
    assert text == "Image 1 (500 x 400 pixels): image 0, mirrored."
    assert bad(name, {"angle": 1}, enabled=(name,)).error_kind == "extra_argument"
    recipe = recipe_of(model="test", extra_tools=(name,))
    assert tool_names(recipe) == (*DEFAULT_TOOLS, name)
    assert good(name, {}, enabled=tool_names(recipe), earlier=[made]).flags == ("noop",)


class TestZoom:
    @pytest.mark.parametrize(
        ("frame", "box"),
        [
            ("pixel", [50, 80, 250, 200]),
            ("norm1000", [100, 200, 500, 500]),
            ("norm1000_yx", [200, 100, 500, 500]),
        ],
    )
    def test_each_frame_names_the_same_region(self, frame: BboxFrame, box: list[int]) -> None:
        operation = good(ZOOM, {"bbox_2d": box}, frame=frame)
        assert operation.box == (100, 160, 500, 400)
        assert operation.flags == ()
        assert not operation.becomes_current

    def test_a_box_is_in_the_frame_of_the_image_it_names(self) -> None:
        """An image index changes what pixels mean: those of that image as it was sent."""
        zoomed = ImageFacts(sha256="b" * 64, width=400, height=400, full_width=100, full_height=100)
        arguments = {"bbox_2d": [40, 40, 80, 80], "img_idx": 1}
        operation = good(ZOOM, arguments, frame="pixel", images=(PHOTO, zoomed))
        assert (operation.source_index, operation.box) == (1, (10, 10, 20, 20))

    def test_edges_are_rounded_to_the_nearest_pixel(self) -> None:
        images = (replace(PHOTO, full_width=333, full_height=333),)
        operation = good(ZOOM, {"bbox_2d": [100, 101, 200, 202]}, images=images)
        # 33.3, 33.633, 66.6, 67.266
        assert operation.box == (33, 34, 67, 67)

    def test_a_box_partly_outside_is_clamped_and_said_to_be(self) -> None:
        operation = good(ZOOM, {"bbox_2d": [-50, 500, 300, 1200.5]})
        assert operation.box == (0, 400, 300, 800)
        assert operation.flags == ("clamped",)
        text = observation(operation, PHOTO, image_index=1, images=(PHOTO,), frame="norm1000")
        assert "box [0, 500, 300, 1000]; the box you gave reached past the edge" in text

    def test_arguments_are_kept_as_the_teacher_meant_them(self) -> None:
        written = {"img_idx": 0, "label": "Straße", "bbox_2d": [1, 2.5, 300, 400]}
        operation = good(ZOOM, written)
        assert operation.arguments == (
            '{"bbox_2d":[1.0,2.5,300.0,400.0],"img_idx":0,"label":"Straße"}'
        )
        assert good(ZOOM, {"bbox_2d": [1, 2, 30, 40]}).arguments == (
            '{"bbox_2d":[1.0,2.0,30.0,40.0]}'
        )

    @pytest.mark.parametrize(
        ("box", "noop"),
        [([0, 0, 1000, 1000], True), ([0, 0, 950, 1000], True), ([0, 0, 949, 1000], False)],
    )
    def test_nearly_the_whole_image_is_a_noop(self, box: list[int], noop: bool) -> None:
        assert ("noop" in good(ZOOM, {"bbox_2d": box}).flags) == noop

    def test_it_cuts_the_full_resolution(self) -> None:
        photo = noise((1000, 800))
        operation = good(ZOOM, {"bbox_2d": [100, 200, 500, 500]})
        result = apply(operation, photo)
        assert result.size == (400, 240)
        assert result.getpixel((7, 9)) == photo.getpixel((107, 169))

    def test_a_small_region_is_enlarged_to_be_sent(self) -> None:
        sent = present(noise((100, 50)), ZOOM, LIMITS)
        assert (sent.width, sent.height) == (896, 448)
        assert (sent.full_width, sent.full_height) == (100, 50)
        # As far as the area allows.
        small = present(noise((100, 50)), ZOOM, ImageLimits(max_pixels=3200))
        assert (small.width, small.height) == (80, 40)

    def test_a_row_whose_box_is_not_in_the_image_is_an_error(self) -> None:
        operation = good(ZOOM, {"bbox_2d": [100, 200, 500, 500]})
        with pytest.raises(ImageError, match="not inside"):
            apply(operation, noise((300, 300)))
        with pytest.raises(ImageError, match="without a box"):
            apply(replace(operation, box=None), noise((300, 300)))


class TestRotate:
    @pytest.mark.parametrize(
        ("angle", "transpose"),
        [
            (90, Image.Transpose.ROTATE_90),
            (-270, Image.Transpose.ROTATE_90),
            (180, Image.Transpose.ROTATE_180),
            (-90, Image.Transpose.ROTATE_270),
            (630, Image.Transpose.ROTATE_270),
        ],
    )
    def test_right_angles_move_pixels_exactly(self, angle: int, transpose: Image.Transpose) -> None:
        """Positive is counter-clockwise: what was right is on top after 90 degrees."""
        photo = noise((60, 40))
        result = apply(good(ROTATE, {"angle": angle}), photo)
        assert result.tobytes() == photo.transpose(transpose).tobytes()

    def test_the_canvas_grows_and_is_black_where_nothing_was(self) -> None:
        result = apply(good(ROTATE, {"angle": 30}), Image.new("RGB", (200, 100), "white"))
        cos, sin = math.cos(math.pi / 6), math.sin(math.pi / 6)
        assert abs(result.width - (200 * cos + 100 * sin)) <= 2
        assert abs(result.height - (200 * sin + 100 * cos)) <= 2
        assert result.getpixel((0, 0)) == (0, 0, 0)
        assert result.getpixel((result.width // 2, result.height // 2)) == (255, 255, 255)

    @pytest.mark.parametrize("angle", [0, 360, -720, 0.0, 1080.0, -1e-18])
    def test_a_full_turn_is_a_noop(self, angle: float) -> None:
        operation = good(ROTATE, {"angle": angle})
        assert operation.flags == ("noop",)
        photo = noise((60, 40))
        assert apply(operation, photo).tobytes() == photo.tobytes()

    def test_turns_that_follow_each_other_do_not_grow_without_end(self) -> None:
        """At the bound the image is reduced instead; nothing is cut off."""
        image = Image.new("RGB", (300, 200), "white")
        for _ in range(4):
            image = rotate.turn(image, 45, most_pixels=100_000)
            assert 97_000 < image.width * image.height < 102_000
        assert image.getbbox() is not None
        right_angle = rotate.turn(Image.new("RGB", (600, 200)), 90, most_pixels=100_000)
        assert right_angle.size == (200, 600)

    @pytest.mark.parametrize("angle", [1e308, -1e308, 1e-300, 5e17])
    def test_any_finite_angle_can_be_turned_by(self, angle: float) -> None:
        assert min(apply(good(ROTATE, {"angle": angle}), noise((60, 40))).size) >= 40

    def test_a_row_without_an_angle_is_an_error(self) -> None:
        operation = replace(good(ROTATE, {"angle": 90}), angle=None)
        with pytest.raises(ImageError, match="without an angle"):
            apply(operation, noise((60, 40)))

    def test_what_is_sent_is_within_the_limits(self) -> None:
        limits = ImageLimits(factor=28, max_pixels=100_000)
        sent = present(noise((1000, 300)), ROTATE, limits)
        assert (sent.width, sent.height) == fit_size(1000, 300, limits)
        assert (sent.full_width, sent.full_height) == (1000, 300)


def assert_one_sentence(text: str) -> None:
    """It starts as one, ends as one, and no other begins in between."""
    assert text[0].isupper() or text.startswith(("bbox_2d", "angle", "img_idx", "label"))
    assert text.endswith(".")
    assert "\n" not in text
    assert not re.search(r"[.!?]\s", re.sub(r'"[^"]*"', "", text)), text
    text.encode()


class TestBadCalls:
    @pytest.mark.parametrize(
        ("name", "arguments", "kind", "said"),
        [
            ("", "look closer", "malformed_json", "name and arguments"),
            ("crop", {}, "unknown_tool", '"crop"'),
            (ZOOM, '{"bbox_2d": [1, 2, 3', "malformed_json", "not valid JSON"),
            (ZOOM, "[" * 100_000, "malformed_json", "not valid JSON"),
            (ZOOM, "[1, 2, 3, 4]", "arguments_not_object", "JSON object"),
            (ZOOM, "null", "arguments_not_object", "JSON object"),
            (ZOOM, "7", "arguments_not_object", "JSON object"),
            (ZOOM, {}, "missing_argument", "bbox_2d is missing"),
            (ZOOM, "", "missing_argument", "bbox_2d is missing"),
            (ROTATE, {"img_idx": 0}, "missing_argument", "angle is missing"),
            (ZOOM, {"bbox_2d": [1, 2, 3, 4], "zoom": 2}, "extra_argument", '"zoom"'),
            (ROTATE, {"angle": 9, "label": "a"}, "extra_argument", '"label"'),
            (ZOOM, {"bbox_2d": [1, 2, 3]}, "bbox_invalid", "four finite numbers"),
            (ZOOM, {"bbox_2d": [1, 2, 3, 4, 5]}, "bbox_invalid", "four finite numbers"),
            (ZOOM, {"bbox_2d": [[1, 2, 3]]}, "bbox_invalid", "four finite numbers"),
            (
                ZOOM,
                {"bbox_2d": [[1, 2, 3, 4], [1, 2, 3, 4]]},
                "bbox_invalid",
                "four finite numbers",
            ),
            (ZOOM, {"bbox_2d": [[1, 2], [3]]}, "bbox_invalid", "four finite numbers"),
            (ZOOM, {"bbox_2d": {"x1": 1, "y1": 2, "x2": 3}}, "bbox_invalid", "four finite numbers"),
            (ZOOM, {"bbox_2d": "(1, 2), (3, 4"}, "bbox_invalid", "four finite numbers"),
            (ZOOM, {"bbox_2d": "10%, 20%, 50%, 60%"}, "bbox_invalid", "four finite numbers"),
            (ZOOM, {"bbox_2d": [1, 2, 3, [4]]}, "bbox_invalid", "four finite numbers"),
            (ZOOM, {"bbox_2d": [1, 2, 3, True]}, "bbox_invalid", "four finite numbers"),
            (ZOOM, {"bbox_2d": [1, 2, 3, None]}, "bbox_invalid", "four finite numbers"),
            (ZOOM, {"bbox_2d": [1, 2, 3, "wide"]}, "bbox_invalid", "four finite numbers"),
            (ZOOM, {"bbox_2d": {"x1": 1}}, "bbox_invalid", "four finite numbers"),
            (ZOOM, {"bbox_2d": "1, 2, 3"}, "bbox_invalid", "four finite numbers"),
            (ZOOM, {"bbox_2d": "[1, 2, 3, 4)"}, "bbox_invalid", "four finite numbers"),
            (ZOOM, {"bbox_2d": None}, "bbox_invalid", "four finite numbers"),
            (ZOOM, '{"bbox_2d": [1, 2, 3, NaN]}', "bbox_invalid", "four finite numbers"),
            (ZOOM, '{"bbox_2d": [1, 2, 3, Infinity]}', "bbox_invalid", "four finite numbers"),
            (ZOOM, '{"bbox_2d": [1, 2, 3, 1e999]}', "bbox_invalid", "four finite numbers"),
            (ZOOM, {"bbox_2d": [1, 2, 3, 10**400]}, "bbox_invalid", "four finite numbers"),
            (ZOOM, {"bbox_2d": [1, 2, 3, "1e999"]}, "bbox_invalid", "four finite numbers"),
            (ZOOM, {"bbox_2d": [300, 0, 300, 9]}, "bbox_empty", "x1 must be less than x2"),
            (ZOOM, {"bbox_2d": [0, 9, 300, 3]}, "bbox_empty", "y1 less than y2"),
            (ZOOM, {"bbox_2d": [1000, 0, 1200, 500]}, "bbox_outside", "outside the image"),
            (ZOOM, {"bbox_2d": [-9e300, 0, -1e300, 500]}, "bbox_outside", "outside the image"),
            (ZOOM, {"bbox_2d": [1000.4, 0, 1001, 500]}, "bbox_outside", "outside the image"),
            (ZOOM, {"bbox_2d": [0, 0, 0.4, 500]}, "bbox_too_small", "too small"),
            (ZOOM, {"bbox_2d": [999.6, 0, 1200, 500]}, "bbox_too_small", "too small"),
            (ZOOM, {"bbox_2d": [0, 0, 3, 500]}, "bbox_too_small", "at least 4 across and 5 down"),
            (ZOOM, {"bbox_2d": [-50, 0, 3, 500]}, "bbox_too_small", "too small"),
            (ZOOM, {"bbox_2d": [0, 0, 1000, 11]}, "bbox_too_thin", "100 times"),
            (ZOOM, {"bbox_2d": [1, 2, 99, 99], "label": 7}, "label_invalid", "must be a text"),
            (ROTATE, {"angle": "left"}, "angle_invalid", "finite number of degrees"),
            (ROTATE, {"angle": True}, "angle_invalid", "finite number of degrees"),
            (ROTATE, {"angle": [90]}, "angle_invalid", "finite number of degrees"),
            (ROTATE, '{"angle": NaN}', "angle_invalid", "finite number of degrees"),
            (ROTATE, '{"angle": -Infinity}', "angle_invalid", "finite number of degrees"),
            (ROTATE, {"angle": 90, "img_idx": 1}, "img_idx_unknown", "there is only image 0"),
            (ROTATE, {"angle": 90, "img_idx": -1}, "img_idx_unknown", "there is only image 0"),
            (ROTATE, {"angle": 90, "img_idx": 0.5}, "img_idx_invalid", "whole number"),
            (ROTATE, {"angle": 90, "img_idx": "photo"}, "img_idx_invalid", "whole number"),
            (ROTATE, {"angle": 90, "img_idx": False}, "img_idx_invalid", "whole number"),
        ],
    )
    def test_each_has_its_kind_and_its_sentence(
        self, name: str, arguments: object, kind: str, said: str
    ) -> None:
        """The kind is stable, for analysis; the sentence says what is wrong and what goes."""
        refused = bad(name, arguments)
        assert (refused.error_kind, said in refused.sentence) == (kind, True), refused
        assert_one_sentence(refused.sentence)
        without_source = kind in ("unknown_tool", "malformed_json", "arguments_not_object")
        expected = None if without_source or kind.startswith("img_idx") else 0
        assert refused.source_index == expected

    def test_integers_past_what_python_converts_are_refused(self) -> None:
        assert bad(ROTATE, '{"angle": ' + "9" * 10_000 + "}").error_kind == "malformed_json"

    def test_the_sentence_speaks_in_the_teachers_frame(self) -> None:
        arguments = {"bbox_2d": [1, 2, 3]}
        pixel = bad(ZOOM, arguments, frame="pixel").sentence
        assert "[x1, y1, x2, y2] in pixels of image 0 as you see it" in pixel
        assert "x from 0 to 500, y from 0 to 400" in pixel
        relative = bad(ZOOM, arguments, frame="norm1000").sentence
        assert "[x1, y1, x2, y2] on a scale from 0 to 1000" in relative
        y_first = bad(ZOOM, arguments, frame="norm1000_yx").sentence
        assert "[y1, x1, y2, x2] on a scale from 0 to 1000" in y_first

    def test_a_tool_that_is_not_enabled_is_unknown(self) -> None:
        refused = bad(ROTATE, {"angle": 90}, enabled=(ZOOM,))
        assert refused.error_kind == "unknown_tool"
        assert f"you can call {ZOOM}." in refused.sentence
        assert "no tools" in bad(ROTATE, {"angle": 90}, enabled=()).sentence

    def test_what_the_teacher_wrote_is_quoted_short_and_on_one_line(self) -> None:
        refused = bad("a\nb\u2028\ud800" + "c" * 5000, {})
        assert len(refused.sentence) < 250
        assert len(refused.sentence.splitlines()) == 1
        refused.sentence.encode()

    def test_several_images_are_named_by_their_range(self) -> None:
        refused = bad(ROTATE, {"angle": 9, "img_idx": 5}, images=(PHOTO, PHOTO, PHOTO))
        assert "there are images 0 to 2." in refused.sentence


class TestRepairs:
    @pytest.mark.parametrize(
        ("name", "raw"),
        [
            (ZOOM, "{'bbox_2d': [100, 200, 500, 500]}"),
            (ZOOM, '{"bbox_2d": [100, 200, 500, 500,],}'),
            (ZOOM, '```json\n{"bbox_2d": [100, 200, 500, 500]}\n```'),
            (ZOOM, '{"bbox_2d": ["100", "200", " 500 ", "5e2"]}'),
            (ZOOM, '{"bbox_2d": "[100, 200, 500, 500]"}'),
            (ZOOM, '{"bbox_2d": "(100,200,500,500)"}'),
            (ZOOM, '{"bbox_2d": "100 200 500 500"}'),
            (ZOOM, '{"bbox_2d": "100，200，500，５００"}'),
            (ZOOM, '{"bbox_2d": "(100,200),(500,500)"}'),
            (ZOOM, '{"bbox_2d": "<|box_start|>(100,200),(500,500)<|box_end|>"}'),
            (ZOOM, '{"bbox_2d": "[[100, 200, 500, 500]]"}'),
            (ZOOM, '{"bbox_2d": [[100, 200, 500, 500]]}'),
            (ZOOM, '{"bbox_2d": [[100, 200], [500, 500]]}'),
            (ZOOM, '{"bbox_2d": {"x1": 100, "y1": 200, "x2": 500, "y2": 500}}'),
            (ZOOM, '{"bbox_2d": {"left": 100, "top": 200, "right": 500, "bottom": 500}}'),
            (ZOOM, '[{"bbox_2d": [100, 200, 500, 500]}]'),
            (ZOOM, '{"bbox_2d"：[100，200，500，500]}'),
            (ZOOM, '{"bbox_2d": [100, 200, 500, 500]}}'),
            (ZOOM, '{"bbox_2d": [100, 200, 500, 500], "label": null}'),
            (ZOOM, '{"bbox_2d": [100, 200, 500, 500], "img_idx": None}'),
            (ZOOM, '{"bbox_2d": [100, 200, 500, 500], "img_idx": "0"}'),
            (ZOOM, '{"bbox_2d": [100, 200, 500, 500], "img_idx": 0.0}'),
            (ZOOM, '"{\\"bbox_2d\\": [100, 200, 500, 500]}"'),
            (ZOOM, '{"bbox_2d": [100, 200, 500, 500], "label": "\\ud800"}'),
            (ROTATE, '{"angle": "90"}'),
        ],
    )
    def test_what_has_one_reading_runs_and_is_flagged(self, name: str, raw: str) -> None:
        operation = good(name, raw)
        assert operation.flags == ("repaired",)
        assert operation.box == ((100, 160, 500, 400) if name == ZOOM else None)
        assert operation.angle == (None if name == ZOOM else 90.0)
        # Kept as understood, so that reading it again needs no repair.
        assert good(name, operation.arguments).flags == ()

    @pytest.mark.parametrize("raw", ['{"angle": 90', '{"angle": 9O}', "{angle: 90}", "angle=90"])
    def test_what_has_no_sure_reading_does_not(self, raw: str) -> None:
        assert bad(ROTATE, raw).error_kind == "malformed_json"


class TestTheTable:
    def test_a_rotation_moves_the_photo_and_a_zoom_does_not(self) -> None:
        photo = noise((60, 40))
        turned = good(ROTATE, {"angle": 90})
        zoomed = good(ZOOM, {"bbox_2d": [0, 0, 500, 500]})
        named = good(ROTATE, {"angle": 90, "img_idx": 0})
        assert (turned.becomes_current, zoomed.becomes_current, named.becomes_current) == (
            True,
            False,
            False,
        )
        calls = [row(zoomed, photo, 1), row(turned, photo, 2), row(named, photo, 3)]
        assert [current_image_after(calls[:n]) for n in range(4)] == [0, 0, 2, 2]

    def test_a_failed_rotation_moves_nothing(self) -> None:
        turned = row(good(ROTATE, {"angle": 90}), noise((60, 40)), 1)
        failed = replace(turned, success=False, error_kind="x", image=None, image_index=None)
        unread = replace(failed, arguments=None)
        assert current_image_after([failed, unread]) == 0
        assert current_image_after([turned, failed]) == 1

    def test_a_call_without_an_index_means_the_current_image(self) -> None:
        turned = replace(PHOTO, width=400, height=500, full_width=800, full_height=1000)
        operation = good(
            ZOOM, {"bbox_2d": [0, 0, 500, 500]}, images=(PHOTO, turned), current_image=1
        )
        assert (operation.source_index, operation.box) == (1, (0, 0, 400, 500))
        refused = bad(ZOOM, {"bbox_2d": [0, 0, 0, 0]}, images=(PHOTO, turned), current_image=1)
        assert refused.source_index == 1


class TestRepeats:
    def test_the_same_call_again_is_a_noop_and_names_the_first(self) -> None:
        zoomed = good(ZOOM, {"bbox_2d": [0, 0, 500, 500]})
        earlier = [row(zoomed, noise((500, 400)), 1)]
        again = good(ZOOM, {"bbox_2d": [0, 0, 500, 500], "label": "x"}, earlier=earlier)
        assert (again.flags, again.repeat_of) == (("noop",), 1)
        text = observation(again, PHOTO, image_index=2, images=(PHOTO, PHOTO), frame="norm1000")
        assert text.endswith("You asked for the same before: it is image 1 again.")
        other = good(ZOOM, {"bbox_2d": [0, 0, 500, 510]}, earlier=earlier)
        assert (other.flags, other.repeat_of) == ((), None)

    def test_a_failed_call_or_another_image_is_no_repeat(self) -> None:
        turned = row(good(ROTATE, {"angle": 90}), noise((60, 40)), 1)
        failed = replace(turned, success=False, error_kind="x", image=None, image_index=None)
        assert good(ROTATE, {"angle": 90}, earlier=[failed]).flags == ()
        # Turning the current image twice by 90 degrees is a turn by 180.
        images = (PHOTO, PHOTO)
        assert (
            good(ROTATE, {"angle": 90}, images=images, current_image=1, earlier=[turned]).flags
            == ()
        )
        same = good(
            ROTATE, {"angle": -270, "img_idx": 0}, images=images, current_image=1, earlier=[turned]
        )
        assert (same.flags, same.repeat_of) == (("noop",), 1)


class TestObservations:
    @pytest.mark.parametrize(
        ("name", "arguments", "frame", "expected"),
        [
            (
                ZOOM,
                {"bbox_2d": [200, 100, 500.25, 500]},
                "norm1000_yx",
                "zoom into image 0, box [200, 100, 500.25, 500].",
            ),
            (
                ROTATE,
                {"angle": 90},
                "pixel",
                "image 0 turned 90 degrees counter-clockwise. Calls without img_idx now mean this "
                "image.",
            ),
            (
                ROTATE,
                {"angle": -12.5, "img_idx": 0},
                "pixel",
                "image 0 turned 12.5 degrees clockwise.",
            ),
            (
                ROTATE,
                {"angle": 360, "img_idx": 0},
                "pixel",
                "image 0 turned 360 degrees counter-clockwise. That is no turn at all, so it looks "
                "as before.",
            ),
            (
                ZOOM,
                {"bbox_2d": [0, 0, 500, 400]},
                "pixel",
                "zoom into image 0, box [0, 0, 500, 400]. The box is nearly the whole image, so "
                "this shows little that is new.",
            ),
        ],
    )
    def test_they_say_what_was_done(
        self, name: str, arguments: object, frame: BboxFrame, expected: str
    ) -> None:
        operation = good(name, arguments, frame=frame)
        sent = present(noise((300, 200)), name, ImageLimits(zoom_side=200))
        text = observation(operation, sent, image_index=1, images=(PHOTO,), frame=frame)
        assert text == f"Image 1 (300 x 200 pixels): {expected}"


class TestDerivation:
    def test_any_image_follows_from_the_photo_and_the_rows(self) -> None:
        """A zoom of a turn of a zoom, step by step and from rows: the same pixels and hashes."""
        photo = noise((1000, 800))
        images = [encode(resize(photo, (500, 400)), LIMITS, full_size=photo.size).facts]
        pixels = [photo]
        calls: list[ToolCall] = []
        for name, arguments in (
            (ZOOM, {"bbox_2d": [100, 100, 700, 800]}),
            (ROTATE, {"angle": 17}),
            (ROTATE, {"angle": 90, "img_idx": 1}),
            (ZOOM, {"bbox_2d": [200, 200, 600, 900]}),
            (ZOOM, {"bbox_2d": [0, 0, 500, 500], "img_idx": 3}),
        ):
            operation = good(
                name,
                arguments,
                images=images,
                current_image=current_image_after(calls),
                earlier=calls,
            )
            result = apply(operation, pixels[operation.source_index])
            calls.append(row(operation, result, len(images)))
            assert calls[-1].image is not None
            images.append(calls[-1].image)
            pixels.append(result)
        assert [c.source_index for c in calls] == [0, 0, 1, 2, 3]
        for index, expected in enumerate(pixels):
            derived = derive(photo, calls, index)
            assert derived.tobytes() == expected.tobytes()
            if index:
                again = present(derived, calls[index - 1].name, LIMITS)
                assert again.facts == images[index]

    def test_an_image_that_no_call_gave_cannot_be_derived(self) -> None:
        photo = noise((60, 40))
        turned = row(good(ROTATE, {"angle": 90}), photo, 1)
        for calls, index in (
            ([], 1),
            ([turned], 2),
            ([replace(turned, success=False)], 1),
            ([replace(turned, source_index=1)], 1),
            ([replace(turned, name="image_paint_tool")], 1),
        ):
            with pytest.raises(ImageError) as caught:
                derive(photo, calls, index)
            assert caught.value.kind == "missing"


# --- properties ---------------------------------------------------------------------------------

JSON_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.just(10**400)
    | st.from_regex(r"-?[0-9]{1,4}", fullmatch=True),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
SIDES = st.integers(MIN_SIDE, 9000)
COORDINATES = st.floats(allow_nan=False, allow_infinity=False) | st.floats(-200, 1200)


@st.composite
def facts(draw: st.DrawFn) -> ImageFacts:
    width, height = draw(SIDES), draw(SIDES)
    sent = fit_size(width, height, ImageLimits(factor=draw(st.sampled_from([1, 28]))))
    return ImageFacts("0" * 64, *sent, full_width=width, full_height=height)


@given(st.sampled_from([ZOOM, ROTATE, ""]) | st.text(), st.text(), st.sampled_from(FRAMES))
def test_no_text_makes_understanding_raise(name: str, raw: str, frame: BboxFrame) -> None:
    assert isinstance(call(name, raw, frame=frame), Operation | BadCall)


@given(
    st.sampled_from([ZOOM, ROTATE]),
    st.dictionaries(st.sampled_from(["bbox_2d", "label", "img_idx", "angle", "other"]), JSON_VALUES)
    | JSON_VALUES,
    st.sampled_from(FRAMES),
    facts(),
)
def test_no_value_makes_understanding_raise(
    name: str, value: object, frame: BboxFrame, image: ImageFacts
) -> None:
    """Whatever is understood can be written down, told, and understood again the same."""
    outcome = call(name, json.dumps(value), frame=frame, images=(image,))
    if isinstance(outcome, BadCall):
        outcome.sentence.encode()
        return
    again = good(name, outcome.arguments, frame=frame, images=(image,))
    assert (again.box, again.angle, again.arguments) == (
        outcome.box,
        outcome.angle,
        outcome.arguments,
    )
    text = observation(outcome, image, image_index=1, images=(image,), frame=frame)
    assert text.startswith(f"Image 1 ({image.width} x {image.height} pixels): ")
    assert len(text.splitlines()) == 1


@given(facts(), st.lists(COORDINATES, min_size=4, max_size=4), st.sampled_from(FRAMES))
def test_a_box_is_inside_its_image_and_not_empty(
    image: ImageFacts, numbers: list[float], frame: BboxFrame
) -> None:
    outcome = call(ZOOM, {"bbox_2d": numbers}, frame=frame, images=(image,))
    if isinstance(outcome, BadCall):
        assert outcome.error_kind.startswith("bbox_")
        return
    assert outcome.box is not None
    left, top, right, bottom = outcome.box
    assert 0 <= left <= right - 4 <= right <= image.full_width
    assert 0 <= top <= bottom - 4 <= bottom <= image.full_height
    assert max(right - left, bottom - top) <= 100 * min(right - left, bottom - top)


@given(facts(), st.lists(st.floats(0, 1), min_size=4, max_size=4))
def test_the_frames_agree_on_a_region(image: ImageFacts, parts: list[float]) -> None:
    """The same part of the image, named in three ways, is the same box to a pixel."""
    x1, x2 = sorted(parts[:2])
    y1, y2 = sorted(parts[2:])
    assume((x2 - x1) * image.full_width > 6)
    assume((y2 - y1) * image.full_height > 6)
    ratio = (x2 - x1) * image.full_width / ((y2 - y1) * image.full_height)
    assume(1 / 50 < ratio < 50)
    named = {
        "pixel": [x1 * image.width, y1 * image.height, x2 * image.width, y2 * image.height],
        "norm1000": [x1 * 1000, y1 * 1000, x2 * 1000, y2 * 1000],
        "norm1000_yx": [y1 * 1000, x1 * 1000, y2 * 1000, x2 * 1000],
    }
    boxes = [
        good(ZOOM, {"bbox_2d": named[frame]}, frame=frame, images=(image,)).box for frame in FRAMES
    ]
    expected = (
        x1 * image.full_width,
        y1 * image.full_height,
        x2 * image.full_width,
        y2 * image.full_height,
    )
    for box in boxes:
        assert box is not None
        assert all(abs(edge - exact) <= 1 for edge, exact in zip(box, expected, strict=True))


@given(st.floats(-1e6, 1e6), st.integers(4, 60), st.integers(4, 60))
def test_a_turn_loses_no_corner(angle: float, width: int, height: int) -> None:
    """The grown canvas holds the whole image: white stays about as much white as it was."""
    result = apply(good(ROTATE, {"angle": angle}), Image.new("RGB", (width, height), "white"))
    white = sum(result.convert("L").histogram()[128:])
    assert abs(white - width * height) <= 2 * (width + height) + 4
