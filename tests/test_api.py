"""The package from Python: opening, reading, scoring, exporting and restoring."""

from __future__ import annotations

import hashlib
import io
import re
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from PIL import Image, ImageChops

import geostore
from geostore.conversation.sent import sent_requests
from geostore.errors import (
    DatasetError,
    ExportError,
    FilterError,
    GeostoreError,
    NotFoundError,
    QueryError,
    RewardError,
    StoreError,
    TraceImportError,
)
from geostore.identity import canonical_json
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


def test_options_that_mean_nothing_name_the_right_ones(
    store: geostore.GeoStore, tmp_path: Path
) -> None:
    """Nothing is written, and nothing else is done in their place."""
    wrong: list[tuple[dict[str, Any], type[Exception], str]] = [
        ({"formt": "jsonl"}, TypeError, "did you mean format?"),
        ({"min_scor": 0.3}, TypeError, "did you mean min_score?"),
        ({"format": "jsn"}, ExportError, "choose one of trace, jsonl"),
    ]
    for options, error, words in wrong:
        with pytest.raises(error, match=re.escape(words)):
            store.export(tmp_path / "out", **options)
    assert not (tmp_path / "out").exists()
    write(tmp_path / "in", history(50))
    match: Any = "coordinate"
    with pytest.raises(TraceImportError, match="choose one of index, coordinates"):
        store.import_traces(tmp_path / "in", match=match)
    before = [trace.name for trace in store.traces()]
    for frame in ("auto", "pixels", "NORM1000"):
        named: Any = frame
        with pytest.raises(TraceImportError, match="choose one of norm1000, pixel, full_pixel"):
            store.import_traces(tmp_path / "in", bbox_frame=named)
    assert [trace.name for trace in store.traces()] == before
    row: Any = 2.0
    for use in (store.trace, store.sent_images, store.restore_image):
        with pytest.raises(TypeError):
            use(row)
    assert store.sent_images(2) == store.sent_images(store.trace("2"))


def test_a_store_is_made_where_one_is_asked_for(tmp_path: Path) -> None:
    """Traces can be imported into it; one that is there is opened as it is."""
    write(tmp_path / "in", history(7))
    for imported in (1, 0):
        with geostore.open(tmp_path / "new.db", create=True) as store:
            assert store.import_traces(tmp_path / "in", model="m").imported == imported
            assert len(list(store.traces())) == 1
            one = tmp_path / "in" / "trace_00007.json"
            assert store.import_traces(one, tools=True).known == 1
    with pytest.raises(StoreError, match="no folder"):
        geostore.open(tmp_path / "none" / "new.db", create=True)


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


@pytest.mark.parametrize(
    ("conditions", "error", "words"),
    [
        ({"wher": "turns > 1"}, TypeError, "did you mean where?"),
        ({"max_distance": 25}, TypeError, "did you mean max_distance_km?"),
        ({"qqqqq": 1}, TypeError, "there are: status, min_score"),
        ({"min_score": float("nan")}, FilterError, "min_score is a finite number, and not nan"),
        ({"max_distance_km": float("inf")}, FilterError, "is a finite number, and not inf"),
        ({"min_turns": 10**30}, FilterError, "whole numbers have 64 bits"),
        ({"min_turns": 1.5}, TypeError, "min_turns is a whole number, such as 2, and not 1.5"),
        ({"max_tokens": True}, TypeError, "max_tokens is a whole number, such as 16000"),
        ({"require_tools": 1}, TypeError, "require_tools is True or False, and not 1"),
        ({"min_score": "0.3"}, TypeError, "min_score is a number, such as 0.3, and not '0.3'"),
        ({"min_score": True}, TypeError, "min_score is a number"),
        ({"where": 3}, TypeError, "where is a text, such as 'turns > 2'"),
        ({"flags": 5}, TypeError, "flags is a name or a list of names"),
        ({"status": ["answered", None]}, TypeError, "status is a name"),
        ({"status": "answred"}, FilterError, "did you mean answered?"),
        ({"flags": "truncatd"}, FilterError, "truncated"),
        ({"since": "yesterday"}, FilterError, "2026-10-01"),
    ],
)
def test_a_condition_that_means_nothing_is_an_error_at_once(
    store: geostore.GeoStore, conditions: Any, error: type[Exception], words: str
) -> None:
    """And not when the first trace is asked for, or never."""
    with pytest.raises(error, match=re.escape(words)):
        store.traces(**conditions)


def test_conditions_are_written_as_a_person_writes_them(store: geostore.GeoStore) -> None:
    """One name or several; a time of Python's."""
    store.audit()
    assert rows_of(store, flags="placeholder") == rows_of(store, flags=["placeholder"]) == [2]
    assert len(rows_of(store, status=("answered", "failed"))) == 6
    assert rows_of(store, where="turns > 1 and country = 'france'", max_distance_km=1) == [0]
    assert rows_of(store, since=datetime(2999, 1, 1, tzinfo=UTC)) == []
    assert len(rows_of(store, since=datetime(2020, 1, 1))) == 6
    assert len(rows_of(store, status=None, where=None, min_score=None)) == 7


def test_a_trace_gives_its_conversation(store: geostore.GeoStore) -> None:
    """The request of each turn whose hash is in the rows, and the response to it."""
    checked = 0
    for trace in store.traces():
        if not trace.turns:
            assert trace.messages() == []
            continue
        assert trace.messages() == trace.messages(len(trace.turns))
        for turn, request in zip(trace.turns, sent_requests(trace), strict=True):
            *sent, response = trace.messages(turn.turn)
            assert [canonical_json(message) for message in sent] == [m.canonical for m in request]
            assert response["role"] == "assistant"
            assert turn.response in str(response["content"])
            checked += 1
        with pytest.raises(NotFoundError, match="has no turn"):
            trace.messages(len(trace.turns) + 1)
        with pytest.raises(NotFoundError, match="has no turn 0"):
            trace.messages(0)
    assert checked > 10


def test_a_conversation_that_a_file_does_not_say_is_not_made_up(
    store: geostore.GeoStore, tmp_path: Path
) -> None:
    write(tmp_path / "in", history(50))
    unknown = history(51)
    for entry in unknown["conversation_history"]:
        del entry["messages"]
    write(tmp_path / "in", unknown)
    store.import_traces(tmp_path / "in", model="m")
    known, other = (store.trace(row) for row in (50, 51))
    assert [m["role"] for m in known.messages()][-1] == "assistant"
    assert known.messages()[0]["role"] != "assistant"
    with pytest.raises(NotFoundError, match="does not say what was sent"):
        other.messages()


def test_a_trace_is_found_by_its_row(store: geostore.GeoStore) -> None:
    assert store.trace(2) == store.trace("2")
    assert store.trace(2).key.sample_index == 2
    with pytest.raises(NotFoundError, match="fits 2 traces"):
        store.trace(0)


def test_what_python_shows_fits_a_line(store: geostore.GeoStore, path: Path) -> None:
    traces = list(store.traces())
    shown = [repr(trace) for trace in traces]
    assert shown[0].startswith(f"<Trace {traces[0].name}: answered, 0.1 km, score 1.000, 3 turns")
    assert any("no coordinates (placeholder)" in line for line in shown)
    assert any(": failed, 0 turns>" in line for line in shown)
    parts: list[Any] = [store, store.stats(), store.audit(), store.rescore(), store.verify()]
    for trace in traces:
        parts += [trace, trace.recipe, trace.sample, trace.dataset, trace.photo, trace.answer]
        parts += [*trace.turns, *trace.calls, *trace.failures, trace.reward, trace.key]
    for part in parts:
        assert "\n" not in repr(part)
        assert len(repr(part)) <= 100, repr(part)
    assert repr(store).startswith("<GeoStore ")
    closed = geostore.open(path)
    closed.close()
    assert repr(closed).endswith(" (closed)>")
    closed.close()


def test_a_closed_store_answers_nothing_and_says_so(path: Path) -> None:
    store = geostore.open(path)
    assert store.query("select 1 as a") == [{"a": 1}]
    store.close()
    for ask in (
        lambda: store.query("select 1 as a"),
        lambda: store.df("select 1 as a"),
        store.stats,
        store.traces,
        lambda: store.trace(0),
        store.audit,
        store.verify,
        store.rescore,
    ):
        with pytest.raises(StoreError, match=r"geostore\.db was closed; open it again"):
            ask()


def test_what_is_no_path_is_not_opened() -> None:
    with pytest.raises(TypeError, match=r"a store is a path, such as 'geostore\.db', and not None"):
        geostore.open(None)  # type: ignore[arg-type]  # as from a setting that is not there


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


def test_rescore_takes_conditions_and_names_as_the_command_does(
    store: geostore.GeoStore,
) -> None:
    assert store.rescore("exponential", scale=500, model="test-native").computed == 1
    assert store.rescore("exponential", scale=500, where="turns = 3").computed == 2
    assert store.rescore("exponential", scale=500).computed == 2
    assert store.rescore("exponential(scale=500)", again=True, since="1h").computed == 5
    with pytest.raises(FilterError, match=r"did you mean turns\?"):
        store.rescore("linear", where="turn > 1")
    with pytest.raises(RewardError, match="modle"):
        store.rescore("linear", modle="test-native")


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


def test_answers_come_as_frames_and_tables(store: geostore.GeoStore) -> None:
    """The same rows as those of a query; numbers are numbers, and repeated names get a number."""
    statement = (
        "select trace, sum(turns) as turns, avg(distance_km) as km, 1.5::decimal(5, 2) as part, "
        "null as none, 10::hugeint ** 30 as huge "
        "from trace_results join traces on traces.id = trace_id group by trace order by trace"
    )
    rows = store.query(statement)
    table = store.arrow(statement)
    assert table.column_names == [*rows[0]]
    assert table["turns"].to_pylist() == [row["turns"] for row in rows]
    assert str(table.schema.field("turns").type) == "int64"
    frame = store.df(statement)
    assert frame["trace"].tolist() == [row["trace"] for row in rows]
    assert [str(frame[name].dtype) for name in ("turns", "km", "part", "huge")] == [
        *("int64", "float64", "float64", "float64")
    ]
    assert frame["km"].isna().sum() == sum(row["km"] is None for row in rows) > 0
    times = "select closed_at::timestamptz as at from traces where closed_at is not null"
    assert store.arrow(times)["at"][0].as_py().tzinfo is not None
    assert store.df(times)["at"][0].year >= 2020
    assert store.arrow("select 1 as n, 2 as n, 3 as n").column_names == ["n", "n_1", "n_2"]
    assert store.df("select trace from trace_results where false").shape == (0, 1)
    assert store.df("by_country")["country"].tolist() == ["france"]


def test_frames_are_of_the_reward_that_is_named(store: geostore.GeoStore) -> None:
    store.rescore("linear", max=100_000)
    question = "select max(score) as score from trace_results where distance_km > 1000"
    ours, theirs = (store.df(question, reward=name) for name in (None, "linear(max=100000)"))
    assert theirs["score"][0] > 0.5 > ours["score"][0]


def test_a_frame_of_what_cannot_be_asked_is_the_error_of_the_query(
    store: geostore.GeoStore,
) -> None:
    """Also where it comes up only while rows are read."""
    for statement, words in (
        ("drop table traces", "only reads"),
        ("worst_trace", "worst_traces"),
        ("select trace::integer from trace_results", "Could not convert"),
    ):
        with pytest.raises(QueryError, match=words):
            store.df(statement)
    assert store.df("select 1 as one")["one"].tolist() == [1]


def test_a_frame_without_pandas_says_what_to_install(path: Path) -> None:
    code = (
        "import sys, geostore\n"
        "class NotThere:\n"
        "    def find_spec(self, name, *rest):\n"
        "        if name == 'pandas': raise ModuleNotFoundError(name)\n"
        "sys.meta_path.insert(0, NotThere())\n"
        "with geostore.open(sys.argv[1]) as store:\n"
        "    assert store.arrow('select 1 as one')['one'].to_pylist() == [1]\n"
        "    store.df('select 1 as one')"
    )
    done = subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, text=True)
    assert "QueryError: a data frame needs pandas" in done.stderr


@pytest.mark.parametrize("km", [5, ["a"], "25"])
def test_what_is_no_list_of_distances_is_a_question_that_cannot_be_asked(
    km: Any, store: geostore.GeoStore
) -> None:
    with pytest.raises(QueryError, match=r"give distances in km|a list of distances"):
        store.stats(km=km)


def test_distances_for_a_question_that_uses_none_are_refused(store: geostore.GeoStore) -> None:
    for ask in (store.query, store.arrow, store.df):
        with pytest.raises(QueryError, match="the query tool_lift uses no distances"):
            ask("tool_lift", km=[5])


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
