"""The package from Python: opening, reading, scoring, exporting and restoring."""

from __future__ import annotations

import hashlib
import io
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image, ImageChops

import geostore
from geostore.errors import (
    DatasetError,
    GeostoreError,
    NotFoundError,
    QueryError,
    RewardError,
    StoreError,
)
from geostore.store import Store
from tests.builders import ZOOM_IN, StoreBuilder, fill, make_dataset, played_recipe
from tests.conftest import photo_bytes
from tests.trace_files import history, write


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_dataset(tmp_path_factory.mktemp("data") / "photos")


@pytest.fixture
def path(tmp_path: Path, dataset: Path) -> Path:
    """A store with the traces of `fill` and an open one."""
    path = tmp_path / "geostore.db"
    with Store.open(path, create=True, durability="normal") as store:
        builder = StoreBuilder(store, dataset)
        fill(builder)
        builder.play(1, [ZOOM_IN], rollout=2)
    return path


@pytest.fixture
def store(path: Path) -> Iterator[geostore.GeoStore]:
    with geostore.open(path) as opened:
        yield opened


def rows_of(store: geostore.GeoStore, **filters: Any) -> list[int]:
    return [trace.key.sample_index for trace in store.traces(**filters)]


def test_opening_never_makes_a_store(tmp_path: Path) -> None:
    """A wrong path is an error and not an empty store."""
    with pytest.raises(StoreError, match="no store at"):
        geostore.open(tmp_path / "none.db")
    assert list(tmp_path.iterdir()) == []


def test_importing_the_package_loads_nothing_heavy() -> None:
    """A script that only wants the version does not wait for what it does not use."""
    code = (
        "import sys, geostore; geostore.__version__; "
        "heavy = {'PIL', 'aiohttp', 'datasets', 'duckdb', 'numpy', 'openai', 'sqlite_utils'}; "
        "print(*{*heavy, 'orjson'}"
        ".intersection(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []


def test_everything_public_is_there() -> None:
    """Each name of ``__all__`` can be had, and no other name is made up."""
    for name in geostore.__all__:
        assert getattr(geostore, name) is not None
    assert issubclass(StoreError, geostore.GeostoreError)
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = geostore.nothing


def test_traces_come_in_order_and_all_of_them(store: geostore.GeoStore) -> None:
    """By row, recipe and rollout, whatever became of them."""
    traces = list(store.traces())
    keys = [(t.key.sample_index, t.key.recipe_sha256, t.key.rollout) for t in traces]
    assert keys == sorted(keys)
    assert len(traces) == 7
    assert {trace.status for trace in traces} == {"answered", "failed", "open"}


def test_traces_are_filtered(store: geostore.GeoStore) -> None:
    """By status, score, distance and recipe; bounds leave out what has no parsed answer."""
    assert rows_of(store, status="answered") == [0, 0, 1, 2, 3]
    assert rows_of(store, status="failed") == [3]
    assert rows_of(store, status="open") == [1]
    assert rows_of(store, min_score=0.95) == [0, 3]
    assert rows_of(store, max_distance_km=1.0) == [0]
    native = next(t for t in store.traces() if played_recipe(t).protocol == "native")
    assert rows_of(store, recipe=native.key.recipe_sha256[:8]) == [3]


def test_a_trace_is_found_by_its_name(store: geostore.GeoStore) -> None:
    """Each trace of the iterator is the one that its name finds."""
    for trace in store.traces():
        assert store.trace(trace.name) == trace
    with pytest.raises(NotFoundError):
        store.trace("99-00000000-1")


def test_a_store_can_be_written_while_its_traces_are_read(store: geostore.GeoStore) -> None:
    """Reading holds no lock: scoring in the loop neither waits nor changes what is read."""
    computed = 0
    for trace in store.traces(status="answered"):
        assert trace.reward_spec == "geoguessr"
        computed += store.rescore("exponential", scale=500).computed
    assert computed == 5


# --- rewards, questions, exports ----------------------------------------------------------------


def test_rescore_computes_what_is_missing_once(store: geostore.GeoStore) -> None:
    """Parameters are given as Python values; the store's default reward stays what it was."""
    before = list(store.traces())
    assert store.rescore().computed == 0
    assert store.rescore("steps", table=[[1, 1.0], [200, 0.5]]).computed == 5
    assert store.rescore("steps", table=[[1, 1.0], [200, 0.5]]).found_done == 5
    assert store.rescore("geoguessr", rounding=None).computed == 0
    assert list(store.traces()) == before
    with pytest.raises(RewardError):
        store.rescore("nearest")
    with pytest.raises(RewardError):
        store.rescore("linear", scale=3)


def test_queries_give_rows_as_dicts(store: geostore.GeoStore) -> None:
    """SQL is answered by column name, and cannot write."""
    rows = store.query(
        "select status, count(*) as traces from traces group by status order by status"
    )
    assert rows == [
        {"status": "answered", "traces": 5},
        {"status": "failed", "traces": 1},
        {"status": "open", "traces": 1},
    ]
    with pytest.raises(QueryError, match="only reads"):
        store.query("drop table traces")
    with pytest.raises(QueryError):
        store.query("select nothing from traces")


def test_questions_leave_the_locks_of_an_open_store_alone(
    store: geostore.GeoStore, path: Path
) -> None:
    """A query while this process reads must not let another's last close remove the log.

    Two copies of SQLite in one process drop each other's locks; a reader without
    its lock would read a file that is written under it.
    """
    traces = store.traces()
    first = next(traces)
    assert store.query("select count(*) as n from traces") == [{"n": 7}]
    other = (
        "import sqlite3, sys; c = sqlite3.connect(sys.argv[1], timeout=0.1); "
        "c.execute('update samples set country = 1'); c.commit(); "
        "print(c.execute('pragma wal_checkpoint(truncate)').fetchone()[0])"
    )
    command = [sys.executable, "-c", other, str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "1"  # busy: the reader's lock is seen
    assert {trace.sample.country for trace in (first, *traces)} == {"france"}


def test_stats_count_the_store(store: geostore.GeoStore) -> None:
    """The numbers of the whole batch."""
    found = store.stats().store
    assert found.traces == 7
    assert (found.answered, found.failed, found.open) == (5, 1, 1)
    assert found.answer_failures == {"placeholder": 1}


def test_trace_files_are_imported(store: geostore.GeoStore, tmp_path: Path) -> None:
    """What an export wrote is known; a file of another script is a new trace."""
    store.export(tmp_path / "in")
    write(tmp_path / "in" / "older", history(50))
    result = store.import_traces(tmp_path / "in", model="m")
    assert (result.imported, result.files - result.known) == (1, 1)
    (trace,) = (t for t in store.traces() if t.key.sample_index == 50)
    assert trace.recipe.model == "m"


def test_export_is_the_command_lines(store: geostore.GeoStore, tmp_path: Path) -> None:
    """Formats and filters are passed on."""
    result = store.export(tmp_path / "out", format="jsonl", min_score=0.5, max_distance_km=200.0)
    assert result.count == 3
    assert len((tmp_path / "out" / "traces.jsonl").read_bytes().splitlines()) == 3


# --- images -------------------------------------------------------------------------------------


def test_an_audit_marks_what_an_export_can_leave_out(
    store: geostore.GeoStore, tmp_path: Path
) -> None:
    every = store.export(tmp_path / "all").count
    result = store.audit()
    assert result.flags["placeholder"].traces == 1
    without = store.export(tmp_path / "without", exclude_flags=["placeholder"])
    assert without.count == every - 1


def test_image_0_is_the_photo_of_the_dataset(store: geostore.GeoStore) -> None:
    """Full resolution, pixel by pixel."""
    restored = store.restore_image(next(store.traces()))
    original = Image.open(io.BytesIO(photo_bytes(0, size=(480, 360))))
    assert restored.size == (480, 360)
    assert ImageChops.difference(restored, original).getbbox() is None


def test_a_photo_on_its_side_is_restored_upright(tmp_path: Path) -> None:
    """The orientation that a camera noted is applied, as it was for the teacher."""
    out = io.BytesIO()
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.open(io.BytesIO(photo_bytes(5))).save(out, "JPEG", exif=exif)
    from tests.conftest import save_dataset

    dataset = save_dataset(tmp_path / "photos", [out.getvalue()])
    path = tmp_path / "geostore.db"
    with Store.open(path, create=True, durability="normal") as made:
        name = StoreBuilder(made, dataset).play(0, [ZOOM_IN])
    with geostore.open(path) as store:
        assert store.restore_image(name).size == (240, 320)
        sent = store.sent_images(name)[0]
        assert (sent.full_width, sent.full_height) == (240, 320)


def test_other_images_are_what_the_teacher_saw(store: geostore.GeoStore) -> None:
    """By number in the conversation, in the bytes whose hashes are in the rows."""
    trace = next(store.traces())
    images = store.sent_images(trace)
    assert [image.facts for image in images] == [
        trace.photo,
        *(call.image for call in trace.calls),
    ]
    for image in images:
        assert hashlib.sha256(image.data).hexdigest() == image.sha256
    restored = store.restore_image(trace.name, 2)
    assert restored.size == (images[2].width, images[2].height)
    with pytest.raises(NotFoundError, match="no image 3"):
        store.restore_image(trace, 3)
    with pytest.raises(NotFoundError, match="no image -1"):
        store.restore_image(trace, -1)


def test_a_trace_that_sent_nothing_has_no_sent_images(store: geostore.GeoStore) -> None:
    """Its photo can be had all the same."""
    (failed,) = store.traces(status="failed")
    assert store.sent_images(failed) == []
    assert store.restore_image(failed).size == (480, 360)


def test_a_dataset_that_moved_is_named(
    store: geostore.GeoStore, tmp_path: Path, dataset: Path
) -> None:
    """Images come from where the dataset is now, and never from another one."""
    moved = tmp_path / "moved"
    dataset.rename(moved)
    try:
        trace = next(store.traces())
        with pytest.raises(DatasetError):
            store.restore_image(trace)
        assert store.restore_image(trace, dataset_path=str(moved)).size == (480, 360)
        other = make_dataset(tmp_path / "other", seed=8)
        with pytest.raises(GeostoreError, match="has changed since"):
            store.restore_image(trace, dataset_path=str(other))
    finally:
        moved.rename(dataset)
