"""A student's calls are run as a teacher's were: the same sentences, the same bytes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from geostore.conversation.messages import LAST_TURN
from geostore.conversation.tool_session import ToolSession, read_tool_settings, tool_settings
from geostore.dataset import PhotoDataset
from geostore.errors import ImageError
from geostore.records import StoredTrace
from geostore.store import Store
from tests.builders import (
    BAD_BOX,
    NATIVE_RECIPE,
    TURN_LEFT,
    ZOOM_IN,
    StoreBuilder,
    fill,
    make_dataset,
    native,
    played_recipe,
    recipe_of,
)
from tests.minds import ROTATE, ZOOM, answer, text_call

ENHANCE = "image_enhance_tool"
PIXELS = recipe_of(
    model="Qwen/Qwen2.5-VL-7B", protocol="text", bbox_frame="pixel", extra_tools=(ENHANCE,)
)
AGAIN = text_call(ZOOM, {"bbox_2d": [0, 0, 40, 90], "img_idx": 1, "label": "招牌"})
BRIGHTER = text_call(ENHANCE, {"contrast": 2})


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[PhotoDataset, Store]]:
    """Traces with zooms of zooms, turns, failures, repeats and more calls than a turn may have."""
    folder = tmp_path_factory.mktemp("store")
    with Store.open(folder / "geostore.db", create=True, durability="normal") as store:
        builder = StoreBuilder(store, make_dataset(folder / "photos"))
        fill(builder)
        script = [
            TURN_LEFT,
            text_call(ZOOM, {"bbox_2d": [100, 50, 400, 300]}),
            AGAIN + BRIGHTER + BAD_BOX + ZOOM_IN,
            "<tool_call>{broken</tool_call>",
            text_call("look_it_up", {"where": "here"}),
            text_call(ZOOM, {"bbox_2d": [100, 50, 400, 300]}),
            answer(1.0, 2.0),
        ]
        builder.play(1, script, recipe=PIXELS)
        pair = native("", (ZOOM, {"bbox_2d": [1, 2, 800, 900]}), (ROTATE, {"angle": "-12.5"}))
        builder.play(2, [pair, answer(1.0, 2.0)], recipe=NATIVE_RECIPE)
        yield builder.dataset, store


def traces(store: Store) -> list[StoredTrace]:
    count = store.db.connection.execute("select count(*) from traces").fetchone()[0]
    return [store.traces.get_trace(number) for number in range(1, count + 1)]


@pytest.mark.parametrize("from_a_row", [False, True])
def test_every_call_of_a_store_gives_the_same_sentence_and_the_same_bytes(
    played: tuple[PhotoDataset, Store], from_a_row: bool
) -> None:
    """from_a_row: with the recipe as a row of an export carries it."""
    dataset, store = played
    images = failed = 0
    for trace in traces(store):
        assert trace.sample.photo is not None
        photo = dataset.photo_bytes(trace.sample.sample_index)
        recipe = played_recipe(trace)
        if from_a_row:
            recipe = read_tool_settings(tool_settings(recipe))
        session = ToolSession(photo, recipe, sha256=trace.sample.photo.sha256)
        if trace.photo is not None:
            assert session.photo.facts.sha256 == trace.photo.sha256
        for row in trace.calls:
            result = session.call(row.name, row.raw_arguments, turn=row.turn)
            assert result.sentence == row.observation
            assert (result.image and result.image.sha256) == (row.image and row.image.sha256)
            assert replace(result.call, flags=()) == replace(row, flags=())
            images += row.image is not None
            failed += not row.success
    assert images >= 10
    assert failed >= 5


def test_the_last_sentence_before_an_answer_asks_for_it(
    played: tuple[PhotoDataset, Store],
) -> None:
    dataset, _ = played
    session = ToolSession(dataset.photo_bytes(0), NATIVE_RECIPE)
    first = session.call(ROTATE, '{"angle": 90}', turn=1)
    last = session.call(ROTATE, '{"angle": 90}', turn=2, is_last=True)
    assert LAST_TURN not in first.sentence
    assert last.sentence == f"{last.call.observation}\n{LAST_TURN}"


def test_another_photo_than_the_one_that_is_named_is_refused(
    played: tuple[PhotoDataset, Store],
) -> None:
    """Its crops would be others than the prompt speaks of."""
    dataset, store = played
    known = store.traces.get_trace(1).sample.photo
    assert known is not None
    with pytest.raises(ImageError, match="not the one of the export"):
        ToolSession(dataset.photo_bytes(1), NATIVE_RECIPE, sha256=known.sha256)
