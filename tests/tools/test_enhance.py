"""The enhance tool: what its factors mean, that it leaves the photo alone, and a run with it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from geostore.conversation.images import PhotoSource, conversation_images
from geostore.conversation.recipe import make_recipe, recipe_hash, tool_names
from geostore.errors import ImageError, RecipeError
from geostore.export import ExportOptions, export
from geostore.records import ImageFacts, ImageLimits, StoredTrace, ToolCall
from geostore.show.trace_text import render_trace
from geostore.store import Store
from geostore.tools import (
    DEFAULT_TOOLS,
    BadCall,
    Operation,
    apply,
    current_image_after,
    derive,
    observation,
    present,
    tool_schemas,
    understand,
)
from geostore.tools.enhance import LEAST_FACTOR, MOST_FACTOR
from tests.builders import StoreBuilder, make_dataset, played_recipe, recipe_of
from tests.image_samples import noise
from tests.minds import ROTATE, ZOOM, answer, text_call
from tests.running import Notes, run
from tests.teacher_server import Body, Reply, teacher_server

ENHANCE = "image_enhance_tool"
PHOTO = ImageFacts("a" * 64, 500, 400, 1000, 800)


def understood(arguments: object, *, earlier: tuple[ToolCall, ...] = ()) -> Operation | BadCall:
    raw = arguments if isinstance(arguments, str) else json.dumps(arguments)
    return understand(
        ENHANCE,
        raw,
        enabled=(ENHANCE,),
        images=(PHOTO,) * (1 + len(earlier)),
        current_image=0,
        frame="norm1000",
        earlier=earlier,
    )


def good(arguments: object, *, earlier: tuple[ToolCall, ...] = ()) -> Operation:
    operation = understood(arguments, earlier=earlier)
    assert isinstance(operation, Operation), operation
    return operation


def row(operation: Operation, image_index: int) -> ToolCall:
    return ToolCall(
        turn=1,
        call_index=image_index - 1,
        name=operation.name,
        raw_arguments=operation.arguments,
        arguments=operation.arguments,
        source_index=operation.source_index,
        box=None,
        angle=None,
        success=True,
        error_kind=None,
        flags=operation.flags,
        observation="",
        image=PHOTO,
        image_index=image_index,
    )


def grey(value: int) -> Image.Image:
    return Image.new("RGB", (8, 8), (value, value, value))


class TestMeaning:
    def test_brightness_multiplies_and_is_cut_off_at_white(self) -> None:
        brighter = apply(good({"brightness": 1.5}), grey(100))
        assert brighter.getpixel((0, 0)) == (150, 150, 150)
        assert apply(good({"brightness": 5}), grey(100)).getpixel((0, 0)) == (255, 255, 255)

    def test_contrast_moves_away_from_the_mean_grey(self) -> None:
        image = grey(100)
        image.paste((200, 200, 200), (4, 0, 8, 8))  # the mean is 150
        stronger = apply(good({"contrast": 2}), image)
        assert (stronger.getpixel((0, 0)), stronger.getpixel((7, 0))) == ((50,) * 3, (250,) * 3)
        weaker = apply(good({"contrast": 0.5}), image)
        assert (weaker.getpixel((0, 0)), weaker.getpixel((7, 0))) == ((125,) * 3, (175,) * 3)

    def test_brightness_comes_before_contrast(self) -> None:
        image = grey(40)
        image.paste((80, 80, 80), (4, 0, 8, 8))
        both = apply(good({"contrast": 2, "brightness": 2}), image)  # 80 and 160, mean 120
        assert (both.getpixel((0, 0)), both.getpixel((7, 0))) == ((40,) * 3, (200,) * 3)

    def test_it_gives_a_new_image_of_the_same_size_and_colour_profile(self) -> None:
        photo = noise((60, 40))
        photo.info = {"icc_profile": b"profile"}
        before = photo.tobytes()
        made = apply(good({"brightness": 2, "contrast": 0.5}), photo)
        assert made.size == photo.size
        assert made.info == photo.info
        assert photo.tobytes() == before, "the source is not touched"

    @pytest.mark.parametrize("arguments", [{}, {"contrast": 1}, {"brightness": 1.0, "contrast": 1}])
    def test_factors_of_one_are_a_noop(self, arguments: dict[str, float]) -> None:
        operation = good(arguments)
        assert operation.flags == ("noop",)
        assert operation.arguments == '{"brightness":1.0,"contrast":1.0}'
        photo = noise((60, 40))
        assert apply(operation, photo).tobytes() == photo.tobytes()
        text = observation(operation, PHOTO, image_index=1, images=(PHOTO,), frame="pixel")
        assert "changes nothing" in text

    def test_the_same_factors_again_are_a_repeat_and_others_are_not(self) -> None:
        first = row(good({"contrast": 2}), 1)
        again = good({"contrast": 2.0, "brightness": 1}, earlier=(first,))
        assert (again.flags, again.repeat_of) == (("noop",), 1)
        assert good({"contrast": 2.5}, earlier=(first,)).repeat_of is None
        assert good({"contrast": 2, "img_idx": 1}, earlier=(first,)).repeat_of is None

    def test_the_result_does_not_become_the_current_image(self) -> None:
        operation = good({"brightness": 2})
        assert not operation.becomes_current
        assert current_image_after([row(operation, 1)]) == 0
        text = observation(operation, PHOTO, image_index=1, images=(PHOTO,), frame="pixel")
        assert text == (
            "Image 1 (500 x 400 pixels): image 0 with brightness times 2 and contrast times 1. "
            "The photo is as it was; to look closer at this image, give its number."
        )

    def test_what_is_sent_is_within_the_limits(self) -> None:
        limits = ImageLimits(factor=28, max_pixels=100_000)
        sent = present(noise((900, 700)), ENHANCE, limits)
        assert sent.width * sent.height <= 100_000
        assert (sent.width % 28, sent.height % 28) == (0, 0)
        assert (sent.full_width, sent.full_height) == (900, 700)


class TestBadCalls:
    @pytest.mark.parametrize("name", ["contrast", "brightness"])
    @pytest.mark.parametrize(
        "value", [0, -1, 0.19, 5.01, 1e308, "NaN", "much", True, [2], {"by": 2}, 10**400]
    )
    def test_a_factor_out_of_range_or_no_number_is_refused(self, name: str, value: object) -> None:
        refused = understood({name: value})
        assert isinstance(refused, BadCall)
        assert (refused.error_kind, refused.source_index) == ("factor_invalid", 0)
        assert refused.sentence == (
            f"{name} must be a number from 0.2 to 5, where 1 leaves it as it is."
        )

    @pytest.mark.parametrize("raw", ['{"contrast": NaN}', '{"contrast": Infinity}'])
    def test_what_is_not_finite_is_refused(self, raw: str) -> None:
        refused = understood(raw)
        assert isinstance(refused, BadCall)
        assert refused.error_kind == "factor_invalid"

    def test_other_arguments_are_named(self) -> None:
        refused = understood({"sharpness": 2})
        assert isinstance(refused, BadCall)
        assert refused.error_kind == "extra_argument"
        assert refused.sentence == (
            'There is no argument "sharpness": image_enhance_tool takes contrast, brightness and '
            "img_idx."
        )

    def test_a_number_as_text_or_a_null_is_repaired(self) -> None:
        operation = good({"contrast": "2", "brightness": None})
        assert operation.flags == ("repaired",)
        assert operation.arguments == '{"brightness":1.0,"contrast":2.0}'

    def test_a_row_without_factors_is_an_error(self) -> None:
        broken = replace(row(good({"contrast": 2}), 1), arguments=None)
        with pytest.raises(ImageError, match="without its factors"):
            apply(broken, noise((60, 40)))


FACTORS = st.floats(LEAST_FACTOR, MOST_FACTOR)


@given(FACTORS, FACTORS)
def test_any_factors_in_range_are_understood_again_from_the_row(
    contrast: float, brightness: float
) -> None:
    """The row alone gives the same pixels: nothing is lost by way of its JSON."""
    operation = good({"contrast": contrast, "brightness": brightness})
    assert good(operation.arguments) == operation
    photo = noise((12, 9))
    assert derive(photo, [row(operation, 1)], 1).tobytes() == apply(operation, photo).tobytes()


@given(FACTORS)
def test_more_brightness_makes_no_pixel_darker_and_less_none_brighter(brightness: float) -> None:
    photo = noise((12, 9))
    made = apply(good({"brightness": brightness}), photo).tobytes()
    pairs = zip(photo.tobytes(), made, strict=True)
    assert all(after >= before if brightness >= 1 else after <= before for before, after in pairs)


class TestSwitchingOn:
    def test_it_is_off_unless_asked_for_and_then_the_hash_is_another(self) -> None:
        plain = make_recipe(model="test")
        assert tool_names(plain) == DEFAULT_TOOLS
        enhanced = recipe_of(model="test", extra_tools=(ENHANCE,))
        assert tool_names(enhanced) == (*DEFAULT_TOOLS, ENHANCE)
        assert ENHANCE in enhanced.system_prompt
        assert recipe_hash(enhanced) != recipe_hash(plain)

    def test_asking_twice_or_for_a_default_tool_makes_no_other_recipe(self) -> None:
        assert recipe_of(model="test", extra_tools=(ENHANCE, ENHANCE)) == recipe_of(
            model="test", extra_tools=(ENHANCE,)
        )
        assert recipe_of(model="test", extra_tools=(ZOOM,)) == make_recipe(model="test")

    def test_an_unknown_tool_or_tools_that_are_off_are_refused(self) -> None:
        with pytest.raises(RecipeError, match=ENHANCE):
            recipe_of(model="test", extra_tools=("image_paint_tool",))
        with pytest.raises(RecipeError, match="switched off"):
            recipe_of(model="test", tools=False, extra_tools=(ENHANCE,))

    def test_a_teacher_that_was_not_offered_it_is_told_so(self) -> None:
        refused = understand(
            ENHANCE,
            "{}",
            enabled=DEFAULT_TOOLS,
            images=(PHOTO,),
            current_image=0,
            frame="pixel",
            earlier=(),
        )
        assert isinstance(refused, BadCall)
        assert refused.error_kind == "unknown_tool"

    def test_the_schema_gives_the_range(self) -> None:
        (schema,) = tool_schemas("pixel", (ENHANCE,))
        properties = schema["function"]["parameters"]["properties"]
        assert set(properties) == {"contrast", "brightness", "img_idx"}
        assert properties["contrast"]["minimum"] == LEAST_FACTOR
        assert properties["brightness"]["maximum"] == MOST_FACTOR
        assert schema["function"]["parameters"]["required"] == []


SCRIPT = [
    text_call(ENHANCE, {"contrast": 2, "brightness": 1.5}),
    text_call(ROTATE, {"angle": 90}) + text_call(ZOOM, {"bbox_2d": [0, 0, 400, 400], "img_idx": 1}),
    text_call(ENHANCE, {"brightness": 0.5}) + text_call(ENHANCE, {"contrast": 0}),
    answer(10.0, 20.0),
]


@pytest.fixture
def trace(tmp_path: Path) -> StoredTrace:
    recipe = recipe_of(model="test", extra_tools=(ENHANCE,))
    dataset = make_dataset(tmp_path / "photos", rows=1)
    with Store.open(tmp_path / "geostore.db", create=True) as store:
        name = StoreBuilder(store, dataset).play(0, SCRIPT, recipe=recipe)
        return store.traces.get_trace(store.traces.find_trace(name))


def test_every_image_is_derived_again_from_the_rows(trace: StoredTrace) -> None:
    """An enhancement of the photo, a zoom into it, and one of the turned photo."""
    assert [call.source_index for call in trace.calls] == [0, 0, 1, 2, 2]
    assert [call.success for call in trace.calls] == [True, True, True, True, False]
    photo = PhotoSource().photo_bytes(trace)
    images = conversation_images(photo, played_recipe(trace), trace.calls, sent=trace.photo)
    assert [image.facts for image in images[1:]] == [c.image for c in trace.calls if c.image]


def test_show_and_export_say_what_was_done(trace: StoredTrace, tmp_path: Path) -> None:
    shown = render_trace(trace)
    assert "image_enhance_tool on image 0 brightness 1.5 contrast 2 gave image 1" in shown
    assert "failed: factor_invalid" in shown
    with Store.open(tmp_path / "geostore.db") as store:
        export(store, tmp_path / "out", options=ExportOptions(format="jsonl"))
    record = json.loads((tmp_path / "out" / "traces.jsonl").read_text())
    references = [
        part["image_url"]["reference"]
        for turn in record["conversation_history"]
        for message in turn["messages"]
        if isinstance(message["content"], list)
        for part in message["content"]
        if part["type"] == "image_url"
    ]
    assert references[1]["operation"] == {
        "name": ENHANCE,
        "source_index": 0,
        "box": None,
        "angle": None,
        "brightness": 1.5,
        "contrast": 2.0,
    }
    assert set(references[2]["operation"]) == {"name", "source_index", "box", "angle"}


@pytest.mark.parametrize("protocol", ["text", "native"])
def test_it_runs_and_goes_on_after_a_turn_limit(
    protocol: str, photo_dataset: Path, tmp_path: Path
) -> None:
    """Through the real run, with a cut between, in both protocols."""

    def mind(body: Body) -> Reply:
        turn = sum(message["role"] == "assistant" for message in body["messages"])
        arguments = {"brightness": 1.5 + turn}
        if turn == 2:
            return Reply(answer(1, 2))
        if protocol == "text":
            return Reply(text_call(ENHANCE, arguments))
        function = {"name": ENHANCE, "arguments": json.dumps(arguments)}
        call = {"id": f"c{turn}", "type": "function", "function": function}
        return Reply(None, finish_reason="tool_calls", tool_calls=[call])

    store_path = tmp_path / "geostore.db"
    recipe = {"extra_tools": (ENHANCE,), "protocol": protocol}
    with teacher_server(mind) as server:
        for limit in (1, 2, 3):
            run(
                server.url,
                photo_dataset,
                store_path,
                recipe=recipe,
                num_samples=2,
                turn_limit=limit,
                notes=Notes(),
            )
        assert len(server.requests) == 6
    with Store.open(store_path) as store:
        found = store.db.connection.execute(
            "select success, flags, arguments from tool_calls order by trace_id, turn"
        ).fetchall()
    assert [tuple(row) for row in found] == [
        (1, "[]", '{"brightness":1.5,"contrast":1.0}'),
        (1, "[]", '{"brightness":2.5,"contrast":1.0}'),
    ] * 2
