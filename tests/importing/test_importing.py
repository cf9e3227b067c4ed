"""Imports: rows that say what files say and no more, nothing twice, nothing written over."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import sqlite3
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from geostore.audit import audit
from geostore.conversation.messages import RequestWriter
from geostore.errors import DatasetError, ExportError, TraceImportError
from geostore.export import ExportOptions, Filter, ImagesMode, MessagesMode, export
from geostore.identity import sha256_hex
from geostore.importing import (
    IMPORTED_REWARD,
    ImportResult,
    Problem,
    ReadOptions,
    import_traces,
)
from geostore.importing import pool as reader_pool
from geostore.importing.reader import FileReader, ReadFile, SkippedFile, TraceFile
from geostore.query.reader import run_query
from geostore.query.stats import stats
from geostore.records import ImportedRecipe, Recipe, StoredTrace
from geostore.rewards import adopt_default_spec, make_spec, rescore, set_default
from geostore.rewards.numeric import haversine_km
from geostore.show.trace_text import render_trace
from geostore.store import Store, open_snapshot
from geostore.store.prices import spent_tokens
from geostore.tools.frames import flagged_frames
from geostore.verify import verify
from geostore.verify.findings import format_text
from tests import trace_files
from tests.builders import (
    NATIVE_RECIPE,
    TEXT_RECIPE,
    ZOOM_IN,
    StoreBuilder,
    fill,
    make_dataset,
)
from tests.dying import dies
from tests.examples import examples
from tests.export_files import round_trip_files
from tests.minds import answer, wanderer
from tests.running import geostore, run, start_geostore
from tests.teacher_server import teacher_server
from tests.trace_files import PHOTO, QUESTION, SYSTEM, ZOOMED, history, log, write

MODES: tuple[MessagesMode, ...] = ("delta", "full", "last")


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_dataset(tmp_path_factory.mktemp("data") / "photos", rows=6, subset=list("abcdef"))


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store.open(tmp_path / "geostore.db", create=True, durability="normal") as opened:
        yield opened


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Three files, of both forms."""
    place = tmp_path / "traces"
    write(place, history(0))
    write(place, history(1, answer=trace_files.final(-40.0, 170.0)))
    write(place, log(2))
    return place


def new_store(path: Path) -> Store:
    return Store.open(path, create=True, durability="normal")


def traces_in(store: Store) -> list[StoredTrace]:
    with open_snapshot(store.path) as snapshot:
        return list(snapshot.traces(Filter()))


def count(store: Store, table: str) -> int:
    return int(store.db.connection.execute(f"select count(*) from {table}").fetchone()[0])


def dump(store: Store) -> list[str]:
    return list(store.db.connection.iterdump())


def problems(
    store: Store, folder: Path, **options: Any
) -> tuple[ImportResult, dict[str, list[Problem]]]:
    """Import, and what was skipped by the name of its file."""
    found: dict[str, list[Problem]] = {}
    result = import_traces(
        store,
        folder,
        options=ReadOptions(**options),
        on_problem=lambda problem: found.setdefault(Path(problem.path).name, []).append(problem),
    )
    return result, found


# --- what a file becomes ------------------------------------------------------------------------


def test_a_history_file_becomes_rows_and_what_it_does_not_say_is_null(
    store: Store, tmp_path: Path
) -> None:
    """Turns, calls, sample and origin are there; no request, box or setting is made up."""
    path = write(tmp_path / "in", history(3), "trace_00003_r2.json")
    result = import_traces(store, tmp_path / "in")
    assert (result.files, result.imported, result.known, result.skipped) == (1, 1, 0, Counter())
    (trace,) = traces_in(store)
    assert trace.key.sample_index == 3
    assert trace.key.rollout == 2
    assert trace.dataset.fingerprint is None
    assert (trace.dataset.path, trace.dataset.name) == ("/data/gaea_wlp/train", "gaea_wlp.train")
    assert (trace.sample.lat, trace.sample.lon) == (13.0, 23.0)
    assert (trace.sample.country, trace.sample.columns) == ("france", {"city": "Paris"})
    assert (trace.sample.photo, trace.sample.exclusion) == (None, "not_seen")
    assert trace.recipe == ImportedRecipe(None, None, SYSTEM, None, {})
    assert (trace.status, trace.stop_reason, trace.turn_limit, trace.photo) == (
        "answered",
        None,
        None,
        None,
    )
    assert [turn.response for turn in trace.turns] == [
        trace_files.CALL,
        trace_files.final(13.0, 23.0),
    ]
    assert {turn.request_sha256 for turn in trace.turns} == {None}
    assert {turn.finish_reason for turn in trace.turns} == {None}
    assert [turn.prompt_tokens for turn in trace.turns] == [900, 900]
    (call,) = trace.calls
    assert (call.turn, call.name, call.success) == (1, "image_zoom_in_tool", True)
    assert json.loads(call.raw_arguments) == {"bbox_2d": [1, 2, 30, 40]}
    assert (call.box, call.observation, call.image, call.arguments) == (None, None, None, None)
    row = store.db.connection.execute("select * from imports").fetchone()
    assert (row["path"], row["variant"], row["stated_index"]) == (str(path), "history", 3)
    assert row["sha256"] == sha256_hex(path.read_bytes())


def test_a_log_file_becomes_rows_too(store: Store, tmp_path: Path) -> None:
    """The later form: thoughts are told from words, and tools are the recipe's."""
    write(tmp_path / "in", log(4))
    import_traces(store, tmp_path / "in", options=ReadOptions(model="qwen"))
    (trace,) = traces_in(store)
    assert isinstance(trace.recipe, ImportedRecipe)
    assert trace.recipe.model == "qwen"
    assert trace.recipe.settings == {"tools_mode": "text"}
    assert trace.recipe.tools is not None
    assert trace.recipe.tools[0]["function"]["name"] == "image_zoom_in_tool"
    assert trace.turns[1].reasoning == "Hm."
    assert trace.final_response == trace_files.final(14.0, 24.0)
    assert [(call.success, call.error_kind) for call in trace.calls] == [(False, "unknown")]
    assert trace.answer is not None
    assert (trace.answer.lat, trace.answer.lon) == (14.0, 24.0)


def test_the_files_rewards_stand_beside_ours(store: Store, folder: Path) -> None:
    """Both are rows; the distance that counts is computed from the text, not believed."""
    result = import_traces(store, folder)
    assert result.rewards == 3
    near, far, _ = traces_in(store)
    assert near.reward is not None
    assert near.reward.distance_km == pytest.approx(0.0)
    assert far.reward is not None
    assert far.reward.distance_km == pytest.approx(haversine_km(-40, 170, 11, 21))
    rows = store.db.connection.execute(
        "select distance_km, score, geoguessr_points from rewards as w"
        " join reward_specs as p on p.id = w.spec_id where p.sha256 = ?",
        (IMPORTED_REWARD.sha256,),
    )
    assert [tuple(row) for row in rows] == [(400.5, 0.75, 3823)] * 3


def test_an_answer_that_a_file_could_not_read_has_no_distance(store: Store, tmp_path: Path) -> None:
    """20,000 km is how files say that there is none; in the store it is null."""
    unread = {"score": 0.0, "distance@km": 20000.0, "geoguessr@point": 0, "parse_success": False}
    write(tmp_path / "in", history(0, answer="A street.", reward_score=unread))
    import_traces(store, tmp_path / "in")
    (trace,) = traces_in(store)
    assert trace.status == "exhausted"
    assert trace.answer is not None
    assert trace.answer.failure == "no_coordinates"
    rows = store.db.connection.execute("select distance_km, score from rewards").fetchall()
    assert [tuple(row) for row in rows] == [(None, None)] * 2


def test_the_file_s_own_score_of_an_answer_in_words_stays_with_it(
    store: Store, tmp_path: Path
) -> None:
    """It is a failure still, in every view and in the export; and a score of 0 is none."""
    unread = {"distance@km": 20000.0, "geoguessr@point": 0, "parse_success": False}
    for index, own in enumerate(
        (
            {**unread, "score": 1.2},
            {**unread, "score": 0.0},
            {**unread, "score": 0.75, "distance@km": 400.5},
            {"score": 0.5},
        )
    ):
        file = history(index, answer="Lyon, France.", reward_score=own)
        write(tmp_path / "in", file)
    import_traces(store, tmp_path / "in")
    asked = (
        "select score, distance_km, failure, distance_km_or_20000, score_or_0 from trace_results"
    )
    wanted = [
        (1.2, None, True, 20000.0, 1.2),
        (None, None, True, 20000.0, 0.0),
        (None, None, True, 20000.0, 0.0),
        (0.5, None, False, None, 0.5),
    ]
    order = " order by sample_index"
    assert run_query(store.path, asked + order, reward=IMPORTED_REWARD.sha256).rows == wanted
    with open_snapshot(store.path) as snapshot:
        for condition, count in (("failure and score_or_0 > 1", 1), ("not failure", 1)):
            filters = Filter(reward="imported", where=condition)
            assert len(list(snapshot.trace_ids(filters))) == count
    set_default(store.db, "imported")
    rows = store.db.connection.execute(asked + order)
    assert [tuple(row) for row in rows] == wanted
    export(store, tmp_path / "out", filters=Filter(reward="imported"))
    written = json.loads((tmp_path / "out" / "trace_00000.json").read_bytes())["reward_score"]
    assert (written["score"], written["distance@km"]) == (1.2, 20000.0)
    assert (written["geoguessr@point"], written["parse_success"]) == (0, False)


def test_what_an_imported_answer_says_in_words_is_read(store: Store, tmp_path: Path) -> None:
    answer = "City: Lyon\nCountry: France\nConfidence: high\n<answer>\\boxed{45.76, 4.83}</answer>"
    write(tmp_path / "in", history(0, answer=answer))
    import_traces(store, tmp_path / "in")
    columns = "said_country, said_city, confidence, confidence_form"
    (row,) = store.db.connection.execute(f"select {columns} from answers")
    assert tuple(row) == ("France", "Lyon", 0.75, "words")


@pytest.mark.parametrize("mode", MODES)
def test_messages_are_kept_and_their_pixels_are_not(
    store: Store, tmp_path: Path, mode: MessagesMode
) -> None:
    """An export gives the file's messages back, images by the hash of their bytes; no base64."""
    write(tmp_path / "in", history(0, mode=mode))
    import_traces(store, tmp_path / "in")
    assert "base64" not in "".join(dump(store))
    export(store, tmp_path / "out", options=ExportOptions(messages=mode))
    written = json.loads((tmp_path / "out" / "trace_00000.json").read_bytes())
    text = json.dumps(history(0, mode=mode)["conversation_history"])
    for image in (PHOTO, ZOOMED):
        text = text.replace(trace_files.data_url(image), f"sha256:{sha256_hex(image)}")
    for entry, expected in zip(written["conversation_history"], json.loads(text), strict=True):
        assert entry["messages"] == expected["messages"]
        assert entry["response"] == expected["response"]
        assert entry["usage"] == expected["usage"]


def test_what_rows_hold_already_is_not_stored_again(store: Store, folder: Path) -> None:
    """The system prompt stands in the recipe, a response in its turn: once each."""
    import_traces(store, folder)
    whole = "".join(dump(store)).replace("''", "'")
    assert whole.count(SYSTEM) == 2 * 2  # two recipes, each as a column and in what was hashed
    kept = store.db.connection.execute("select messages from turns where messages is not null")
    texts = [row[0] for row in kept]
    assert sum('"system"' in text for text in texts) == 3
    assert sum(text.startswith('["assistant"') for text in texts) == 2
    assert not any("A sign." in text for text in texts)


def test_a_conversation_that_was_cut_down_on_the_way_is_kept_as_it_was_sent(
    store: Store, tmp_path: Path
) -> None:
    """Where a request is not the one before and more, it is kept whole instead of as a rest."""
    document = json.loads(json.dumps(history(0)))  # no message is in two places
    shortened = document["conversation_history"][1]["messages"]
    del shortened[1]["content"][0]  # the photo, which some scripts drop to save tokens
    write(tmp_path / "in", document)
    import_traces(store, tmp_path / "in")
    for mode in MODES:
        export(store, tmp_path / mode, options=ExportOptions(messages=mode))
        written = json.loads((tmp_path / mode / "trace_00000.json").read_bytes())
        last = written["conversation_history"][1]["messages"]
        assert [message["role"] for message in last] == ["system", "user", "assistant", "user"]
        assert [part["type"] for part in last[1]["content"]] == ["text"]


def test_python_s_own_json_is_read(store: Store, tmp_path: Path) -> None:
    """The older scripts wrote NaN where a number was missing; that is no number."""
    document = history(0)
    document["sample_data"]["locatability_score"] = float("nan")
    document["sample_data"]["lat"] = "10.5"
    write(tmp_path / "in", document)
    assert import_traces(store, tmp_path / "in").imported == 1
    (trace,) = traces_in(store)
    assert (trace.sample.locatability_score, trace.sample.lat) == (None, 10.5)


def test_no_run_mistakes_an_imported_trace_for_its_own(dataset: Path, tmp_path: Path) -> None:
    """Even with the model's name and the dataset given, every photo is asked anew, and a budget
    does not count what others paid."""
    where = tmp_path / "geostore.db"
    for row in range(3):
        write(tmp_path / "in", history(row))
    with new_store(where) as store:
        options = ReadOptions(model="test", dataset_path=str(dataset))
        assert import_traces(store, tmp_path / "in", options=options).imported == 3
        assert spent_tokens(store.db, "test").total_tokens == 0
    with teacher_server(wanderer) as server:
        tally = run(server.url, dataset, where, num_samples=3)
    assert tally.closed.total() == 3
    assert tally.done == 0


# --- everything else works on them --------------------------------------------------------------


def test_rescore_show_stats_queries_and_export_work_on_imported_traces(
    folder: Path, tmp_path: Path
) -> None:
    """An imported trace is a trace."""
    where = tmp_path / "geostore.db"
    said = geostore("import", folder, "--store", where)
    assert said.returncode == 0, said.stderr
    assert "imported 3 traces of 3 files" in said.stdout
    with Store.open(where) as store:
        assert rescore(store.db, make_spec("linear")).computed == 3
        for trace in traces_in(store):
            assert store.traces.get_trace(store.traces.find_trace(trace.name)) == trace
            for verbose in (False, True):
                shown = render_trace(trace, verbose=verbose)
                assert "imported" in shown
                assert QUESTION in shown or not verbose
        with pytest.raises(ExportError, match="was imported"):
            export(store, tmp_path / "embedded", options=ExportOptions(images="embed"))
        assert export(store, tmp_path / "lines", options=ExportOptions(format="jsonl")).count == 3
    found = stats(where)
    assert found.store.traces == 3
    assert found.store.tool_calls == 3
    said = geostore("query", "imported_rewards", "--store", where, "--format", "json")
    rows = json.loads(said.stdout)
    columns = ("traces", "parsed_by_both", "differ_by_a_km")
    assert sorted(tuple(row[name] for name in columns) for row in rows) == [(1, 1, 1), (2, 2, 2)]


@pytest.mark.parametrize("mode", ["full", "delta", "last"])
def test_an_audit_reads_what_the_files_say_was_sent(
    store: Store, tmp_path: Path, mode: MessagesMode
) -> None:
    """And no prompt, which is the same for every photo; a frame that nobody knows is not judged."""
    told = "<tool_response>This street is in France, near 13.00000, 23.00000."
    for index in (3, 4):
        document = history(index, mode=mode)
        if index == 3:
            text = json.dumps(document).replace("<tool_response>", told)
            document = json.loads(text)
        write(tmp_path / "old", document)
    import_traces(store, tmp_path / "old")
    flags = {name: count.traces for name, count in audit(store).flags.items() if count.traces}
    assert flags == {"leaked_coordinates": 1, "leaked_place": 1}
    (flagged,) = store.db.connection.execute(
        "select sample_index from trace_flags join traces on traces.id = trace_id "
        "join samples on samples.id = sample_id where flag = 'leaked_place'"
    ).fetchall()
    assert flagged[0] == 3


def test_verify_proves_of_imported_traces_what_there_is_to_prove(
    dataset: Path, folder: Path, tmp_path: Path
) -> None:
    """Their photos, where the dataset is known; no hash of a request or an image is made up."""
    for number, path in enumerate((None, dataset)):
        where = tmp_path / f"{number}.db"
        with new_store(where) as store:
            options = ReadOptions(dataset_path=None if path is None else str(path))
            imported = import_traces(store, folder, options=options).imported
        report = verify(where, workers=1)
        assert (report.traces, report.imported_traces) == (imported, imported)
        # The photo of the log file was made again; the images in the history files are no images.
        made_again = 0 if path is None else 1
        assert (report.turns, report.images, report.unverified_traces) == (0, made_again, 0)
        assert report.holds(), format_text(report)
        assert (report.photos > 0) == (path is not None and imported > 0)
        assert "nothing to prove" in format_text(report)


def test_every_named_query_answers_for_imported_traces(folder: Path, tmp_path: Path) -> None:
    """None stumbles over what is not known of them."""
    from geostore.query.headers import question_names
    from geostore.query.reader import ask, open_reader

    where = tmp_path / "geostore.db"
    with new_store(where) as store:
        import_traces(store, folder)
    with open_reader(where) as reader:
        for name in question_names():
            ask(reader, name)


# --- broken files -------------------------------------------------------------------------------


def _without(name: str) -> dict[str, Any]:
    document = history(0)
    del document[name]
    return document


def _with_turn(**changes: Any) -> dict[str, Any]:
    document = history(0)
    document["conversation_history"][1].update(changes)
    return document


MALFORMED: dict[str, tuple[Any, str, str]] = {
    "empty": ("", "not_json", "empty"),
    "cut": (json.dumps(history(0))[:700], "not_json", "no JSON"),
    "words": ("not json at all", "not_json", "no JSON"),
    "list": ([1, 2], "no_trace", "a list"),
    "number": ("17", "no_trace", "a number"),
    "deep": ("[" * 100_000, "not_json", "no JSON"),
    "surrogate": (json.dumps(history(0, answer="\ud83d")), "not_json", "no JSON"),
    "other": ({"name": "config", "version": 3}, "no_trace", "name, version"),
    "no index": (_without("sample_index"), "malformed", "sample_index is missing"),
    "no data": (_without("sample_data"), "malformed", "sample_data is missing"),
    "no calls": (_without("tool_calls"), "malformed", "tool_calls is missing"),
    "no dataset": (_without("dataset_path"), "malformed", "dataset_path is missing"),
    "index is text": (history(0, sample_index="7th"), "malformed", 'sample_index is "7th"'),
    "index is a fraction": (history(0, sample_index=7.5), "malformed", "sample_index is 7.5"),
    "index is true": (history(0, sample_index=True), "malformed", "sample_index is true"),
    "index below 0": (history(0, sample_index=-1), "malformed", "sample_index is -1"),
    "index is vast": (history(0, sample_index=2**63), "malformed", "no whole number"),
    "index is huge": (history(0, sample_index=10**30), "malformed", "sample_index"),
    "lat out of range": (history(0, lat=95.0), "malformed", "sample_data.lat is 95.0"),
    "lon is null": (
        history(0, sample_data={"lat": 1.0, "lon": None}),
        "malformed",
        "sample_data.lon is null",
    ),
    "no turns": (history(0, conversation_history=[]), "malformed", "there is no response"),
    "history is an object": (
        history(0, conversation_history={"turn": 1}),
        "malformed",
        "is an object and not a list",
    ),
    "turn is text": (_with_turn(turn="two"), "malformed", '[1].turn is "two"'),
    "turn is missed out": (_with_turn(turn=3), "malformed", "turn is 3 and not 2"),
    "response is null": (
        {**_with_turn(response=None), "final_response": None},
        "malformed",
        "response is null",
    ),
    "messages are text": (_with_turn(messages="hi"), "malformed", "messages is no list"),
    "message is text": (_with_turn(messages=["hi"]), "malformed", "no message with a role"),
    "usage is text": (_with_turn(usage={"prompt_tokens": "many"}), "malformed", "prompt_tokens"),
    "image is no base64": (
        _with_turn(
            messages=[
                {
                    "role": "user",
                    "content": [{"type": "image_url", "image_url": {"url": "data:x;base64,%%%"}}],
                }
            ]
        ),
        "malformed",
        "no base64",
    ),
    "final is another": (history(0, final_response="At sea."), "malformed", "final_response"),
    "call in no turn": (
        history(0, tool_calls=[{"turn": 9, "tool_call": {"name": "x"}, "success": True}]),
        "malformed",
        "tool_calls[0].turn is 9",
    ),
    "call without success": (
        history(0, tool_calls=[{"turn": 1, "tool_call": {"name": "x"}}]),
        "malformed",
        "tool_calls[0].success is missing",
    ),
    "log without prompt": (
        {k: v for k, v in log(0).items() if k != "initial_prompt"},
        "malformed",
        "initial_prompt is missing",
    ),
    "log with null": (
        log(
            0,
            conversation_log=[{"turn": 1, "assistant_response": None}],
            final_response=None,
            tool_calls_log=[],
        ),
        "malformed",
        "assistant_response is null",
    ),
}


def test_broken_files_are_told_and_skipped_and_the_others_imported(
    store: Store, tmp_path: Path
) -> None:
    """Each with its file, its kind, and the member that is wrong; none stops the import."""
    for name, (document, _, _) in MALFORMED.items():
        write(tmp_path / "in", document, f"{name}.json")
    write(tmp_path / "in", history(1))
    result, found = problems(store, tmp_path / "in")
    assert result.imported == 1
    assert result.skipped.total() == len(MALFORMED)
    assert len(result.problems) == 10
    for name, (_, kind, why) in MALFORMED.items():
        (problem,) = found[f"{name}.json"]
        assert (name, problem.kind) == (name, kind)
        assert why in problem.why or why == "no whole number", (name, problem.why)
    assert count(store, "traces") == 1


JUNK = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.text(max_size=5) | st.sampled_from(["turn", "role"]), inner, max_size=3
        )
    ),
    max_leaves=5,
)


@st.composite
def damaged(draw: st.DrawFn) -> str:
    """The text of a trace file in which any one member is any JSON."""
    document = json.loads(json.dumps(draw(st.sampled_from([history(0), log(0)]))))
    holder: Any = document
    while True:
        keys = list(holder) if isinstance(holder, dict) else list(range(len(holder)))
        key = draw(st.sampled_from(keys))
        if not (isinstance(holder[key], dict | list) and holder[key] and draw(st.booleans())):
            holder[key] = draw(JUNK)
            return json.dumps(document)
        holder = holder[key]


def test_whatever_a_file_holds_it_is_imported_or_skipped(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    """No error, and what was imported can be exported."""
    place = tmp_path_factory.mktemp("junk")
    reader = FileReader(ReadOptions())

    @settings(max_examples=examples(60), deadline=None)
    @given(text=damaged())
    def holds(text: str) -> None:
        number = len(tried)
        path = write(place, text, f"trace_{number}_r{number + 1}.json")
        (read,) = reader.read(TraceFile(str(path)))
        assert isinstance(read, ReadFile | SkippedFile)
        path.rename(place / f"{'kept' if isinstance(read, ReadFile) else 'left'}" / path.name)
        tried.append(isinstance(read, ReadFile))

    tried: list[bool] = []
    (place / "kept").mkdir()
    (place / "left").mkdir()
    holds()
    with new_store(place / "geostore.db") as store:
        result = import_traces(store, place, processes=1)
        assert set(result.skipped) <= {"no_trace", "malformed", "not_json", "conflict"}
        assert result.imported + result.known + result.skipped.total() == len(tried)
        assert 0 < result.imported <= sum(tried)
        assert export(store, place / "out").count == result.imported


def test_a_file_that_cannot_be_opened_is_told(store: Store, folder: Path) -> None:
    """A link to nothing is no reason to stop."""
    (folder / "gone.json").symlink_to(folder / "nowhere")
    (folder / "folder.json").mkdir()
    (folder / ".hidden.json").write_text("{")
    (folder / "notes.txt").write_text("x")
    result, found = problems(store, folder)
    assert result.imported == 3
    assert result.skipped.total() <= 1
    assert set(found) <= {"gone.json"}


def test_names_that_are_no_text_are_imported(store: Store, tmp_path: Path) -> None:
    """A file system takes any bytes as a name."""
    path = write(tmp_path / "in", history(0))
    path.rename(os.fsdecode(os.fsencode(path.parent) + b"/trace_\xff.json"))
    assert import_traces(store, tmp_path / "in").imported == 1
    assert import_traces(store, tmp_path / "in").known == 1


def test_nothing_to_import_is_an_error(store: Store, tmp_path: Path) -> None:
    """A wrong folder must not look like a finished import."""
    (tmp_path / "empty").mkdir()
    with pytest.raises(TraceImportError, match="holds no trace files"):
        import_traces(store, tmp_path / "empty")
    with pytest.raises(TraceImportError, match="is no folder"):
        import_traces(store, tmp_path / "nowhere")


def test_the_command_says_what_it_skipped_and_fails_where_nothing_was_left(
    tmp_path: Path,
) -> None:
    """Exit code 1 only where not one file could be used; a report holds all of them."""
    for number in range(12):
        write(tmp_path / "in", "{", f"bad_{number}.json")
    where, report = tmp_path / "geostore.db", tmp_path / "report.jsonl"
    arguments = ("import", tmp_path / "in", "--store", where, "--report", report)
    said = geostore(*arguments)
    assert said.returncode == 1
    assert "2 more skipped" in said.stderr
    lines = [json.loads(line) for line in report.read_text().splitlines()]
    assert len(lines) == 12
    assert {line["kind"] for line in lines} == {"not_json"}
    write(tmp_path / "in", history(0))
    said = geostore(*arguments)
    assert said.returncode == 0
    assert "imported 1 trace of 13 files, 12 skipped" in said.stdout
    assert re.search(r"^not_json +12  ", said.stdout, re.MULTILINE)
    assert geostore("import", tmp_path / "none", "--store", where).returncode == 2


# --- twice, half, and killed --------------------------------------------------------------------


def test_importing_twice_changes_nothing_and_reads_nothing(
    store: Store, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file whose stamp is known is not even opened."""
    import_traces(store, folder)
    before = dump(store)
    monkeypatch.setattr("geostore.importing.reader._bytes", lambda path: pytest.fail(str(path)))
    result = import_traces(store, folder)
    assert (result.imported, result.known, result.rewards) == (0, 3, 0)
    assert dump(store) == before


def test_the_same_bytes_elsewhere_are_the_same_trace(store: Store, folder: Path) -> None:
    """A folder that was copied or moved is not imported again."""
    import_traces(store, folder)
    moved = folder.parent / "moved"
    shutil.copytree(folder, moved)
    for _ in range(2):
        result = import_traces(store, moved)
        assert (result.imported, result.known) == (0, 3)
    assert count(store, "traces") == 3
    assert count(store, "imports") == 6


def test_half_and_then_all_is_all(folder: Path, tmp_path: Path) -> None:
    """What is in already does not matter for what the store holds in the end."""
    half = tmp_path / "half"
    half.mkdir()
    shutil.copy(folder / "trace_00001.json", half)
    with new_store(tmp_path / "a.db") as one, new_store(tmp_path / "b.db") as other:
        import_traces(one, folder)
        import_traces(other, half)
        result = import_traces(other, folder)
        assert (result.imported, result.known) == (2, 1)
        assert traces_in(other) == traces_in(one)


def test_a_changed_file_is_a_conflict_and_changes_nothing(store: Store, folder: Path) -> None:
    """The trace that is there stays, also where another file claims to be it."""
    import_traces(store, folder)
    before = traces_in(store)
    path = write(folder, history(0, answer=trace_files.final(1.0, 1.0)))
    os.utime(path, ns=(1, 1))
    result, found = problems(store, folder)
    assert found["trace_00000.json"][0].kind == "conflict"
    assert "changed after it was imported" in found["trace_00000.json"][0].why
    assert (result.known, result.imported) == (2, 0)
    write(folder.parent / "more", history(0, answer=trace_files.final(2.0, 2.0)))
    _, found = problems(store, folder.parent / "more")
    assert "--label NAME" in found["trace_00000.json"][0].why
    assert traces_in(store) == before


def test_batches_in_folders_and_with_labels_are_kept_apart(store: Store, tmp_path: Path) -> None:
    """The older scripts give every batch the same file names."""
    write(tmp_path / "in" / "hard", history(0, answer="One. (1.0, 2.0)"))
    write(tmp_path / "in" / "easy", history(0, answer="Two. (1.0, 2.0)"))
    assert import_traces(store, tmp_path / "in").imported == 2
    write(tmp_path / "third", history(0, answer="Three. (1.0, 2.0)"))
    options = ReadOptions(label="third")
    assert import_traces(store, tmp_path / "third", options=options).imported == 1
    recipes = [trace.recipe for trace in traces_in(store)]
    assert {r.label for r in recipes if isinstance(r, ImportedRecipe)} == {"hard", "easy", "third"}


def test_several_processes_read_what_one_reads(tmp_path: Path) -> None:
    """In the same order, with the same problems."""
    for row in range(30):
        write(tmp_path / "in", history(row) if row % 2 else log(row))
    write(tmp_path / "in", "{", "bad.json")
    with new_store(tmp_path / "a.db") as one, new_store(tmp_path / "b.db") as other:
        seen: list[tuple[int, int]] = []
        result = import_traces(
            one,
            tmp_path / "in",
            processes=2,
            batch_files=4,
            on_progress=lambda *now: seen.append(now),
        )
        assert (result.imported, result.skipped) == (30, Counter(not_json=1))
        assert seen[-1] == (31, 31)
        import_traces(other, tmp_path / "in")
        assert traces_in(one) == traces_in(other)


def test_a_reading_process_that_dies_ends_the_import_in_words(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was committed stays, and the next import goes on."""
    for row in range(6):
        write(tmp_path / "in", history(row))
    monkeypatch.setattr(reader_pool, "_make_reader", dies)
    with pytest.raises(TraceImportError, match=r"exit code -9"):
        import_traces(store, tmp_path / "in", batch_files=1)
    monkeypatch.undo()
    assert import_traces(store, tmp_path / "in").imported == 6


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_an_import_that_is_stopped_goes_on_where_it_was(
    tmp_path: Path, how: signal.Signals
) -> None:
    """In the middle: what is in stays whole, the rest follows, nothing is there twice."""
    where, place, number = tmp_path / "geostore.db", tmp_path / "in", 700
    for row in range(number):
        write(place, history(row, lat=row / 20, lon=1.0))
    with new_store(where):
        pass
    process = start_geostore("import", place, "--store", where, "--processes", "1")
    reader = sqlite3.connect(where)
    until = time.monotonic() + 60
    while not reader.execute("select count(*) from imports").fetchone()[0]:
        assert process.poll() is None or process.returncode == 0
        assert time.monotonic() < until
        time.sleep(0.002)
    process.send_signal(how)
    process.communicate()
    assert process.wait() in (0, -signal.SIGKILL if how == signal.SIGKILL else 3)
    reader.close()
    with Store.open(where) as store:
        there = count(store, "imports")
        assert count(store, "traces") == there
        assert count(store, "turns") == 2 * there
        result = import_traces(store, place)
        assert (result.known, result.imported) == (there, number - there)
        assert count(store, "answers") == number
        assert count(store, "rewards") == 2 * number


# --- the dataset --------------------------------------------------------------------------------


def test_with_the_dataset_every_row_is_checked(store: Store, dataset: Path, tmp_path: Path) -> None:
    """A trace is attached to the row only if that lies where the file says; else it is told."""
    place = tmp_path / "in"
    write(place, history(0, lat=10.00005, lon=20.0))  # rounded
    write(place, history(1, lat=14.0, lon=24.0))  # a position in a sorted order: row 4
    write(place, history(2, lat=-5.0, lon=5.0))  # nowhere
    write(place, history(99, lat=13.0, lon=23.0))  # past the end: row 3
    result, found = problems(store, place, dataset_path=str(dataset))
    assert result.imported == 1
    assert result.skipped == Counter(row_mismatch=3)
    assert "row 4 has them" in found["trace_00001.json"][0].why
    assert "no row has them" in found["trace_00002.json"][0].why
    assert "row 3 has them" in found["trace_00099.json"][0].why
    (trace,) = traces_in(store)
    assert trace.sample.photo is not None
    assert trace.sample.columns == {"subset": "a", "city": "Paris"}
    assert trace.dataset.fingerprint is not None
    from geostore.conversation.images import PhotoSource

    data = PhotoSource().photo_bytes(trace)
    assert sha256_hex(data) == trace.sample.photo.sha256


def test_rows_are_found_by_coordinates_where_that_is_asked_for(
    store: Store, dataset: Path, tmp_path: Path
) -> None:
    """Only where one row has them; the file's own number stays with its origin."""
    place = tmp_path / "in"
    write(place, log(1, lat=14.0, lon=24.0))
    write(place, log(2, lat=-5.0, lon=5.0))
    result, _ = problems(store, place, dataset_path=str(dataset), match="coordinates")
    assert (result.imported, result.moved, result.skipped["row_mismatch"]) == (1, 1, 1)
    (trace,) = traces_in(store)
    assert trace.key.sample_index == 4
    assert store.db.connection.execute("select stated_index from imports").fetchone()[0] == 1


def test_a_place_with_several_photos_tells_no_row(store: Store, tmp_path: Path) -> None:
    """A trace is never attached to a photo that it may not be about."""
    twins = make_dataset(tmp_path / "twins", lat=[1.0, 5.0, 5.0, 2.0], lon=[1.0, 5.0, 5.0, 2.0])
    write(tmp_path / "in", history(0, lat=5.0, lon=5.0))
    result, found = problems(store, tmp_path / "in", dataset_path=str(twins), match="coordinates")
    assert result.imported == 0
    assert "2 rows have them" in found["trace_00000.json"][0].why


def test_the_command_says_how_many_indices_do_not_belong(dataset: Path, tmp_path: Path) -> None:
    write(tmp_path / "in", history(0))
    write(tmp_path / "in", history(1, lat=14.0, lon=24.0))
    said = geostore(
        *("import", tmp_path / "in", "--store", tmp_path / "g.db", "--dataset-path", dataset)
    )
    assert said.returncode == 0
    assert "1 row number does not belong to its coordinates" in said.stderr
    assert "--match coordinates" in said.stderr


def test_a_photo_of_a_dataset_that_was_never_seen_is_not_guessed(
    store: Store, dataset: Path, tmp_path: Path
) -> None:
    """Without the dataset a trace has no photo, and asking for it says how to get one."""
    from geostore.conversation.images import PhotoSource

    write(tmp_path / "in", history(0))
    import_traces(store, tmp_path / "in")
    (trace,) = traces_in(store)
    with pytest.raises(DatasetError, match=r"imported without its dataset.*--dataset-path"):
        PhotoSource(str(dataset)).photo_bytes(trace)


# --- round trips --------------------------------------------------------------------------------


def round_trip(store: Store, tmp_path: Path, **more: Any) -> tuple[StoredTrace, ...]:
    """Export, import into an empty store, export again: the same bytes. What the new store has."""
    options = ExportOptions(**more)
    export(store, tmp_path / "first", options=options)
    with new_store(tmp_path / "again.db") as again:
        result = import_traces(again, tmp_path / "first")
        assert result.skipped == Counter()
        assert result.unproven == 0, result.unproven_why
        if options.images in (None, "reference"):
            export(again, tmp_path / "second", options=options)
            assert round_trip_files(tmp_path / "second") == round_trip_files(tmp_path / "first")
        # Other bytes, the same traces.
        export(again, tmp_path / "third", options=ExportOptions(messages="full"))
        there = count(again, "traces")
        assert import_traces(again, tmp_path / "third").known == there
        found = tuple(traces_in(again))
    for name in ("first", "second", "third"):
        shutil.rmtree(tmp_path / name, ignore_errors=True)
    for path in tmp_path.glob("again.db*"):
        path.unlink()
    return found


@pytest.fixture(scope="module")
def generated(tmp_path_factory: pytest.TempPathFactory, dataset: Path) -> Path:
    """A store made by real runs: text and native protocol, three frames, no tools; wild talk."""
    path = tmp_path_factory.mktemp("generated") / "geostore.db"
    recipes: list[dict[str, Any]] = [
        {"protocol": "text", "bbox_frame": "norm1000"},
        {"protocol": "native", "bbox_frame": "pixel"},
        {"protocol": "text", "bbox_frame": "norm1000_yx", "extra_body": {"top_p": 0.9}},
        {"tools": False, "seed": 7},
    ]
    with teacher_server(wanderer) as server:
        for recipe in recipes:
            run(server.url, dataset, path, recipe=recipe, rollouts=2, turn_limit=3)
    return path


@pytest.mark.parametrize("messages", MODES)
def test_an_export_that_is_imported_and_exported_again_has_the_same_bytes(
    generated: Path, tmp_path: Path, messages: str
) -> None:
    """Every row that an export can show comes back, whatever each turn repeats."""
    with Store.open(generated) as store:
        before = {trace.name: trace for trace in traces_in(store)}
        after = round_trip(store, tmp_path, messages=messages)
    assert len(after) == len(before) == 6 * 2 * 4
    assert any(flagged_frames(call) for trace in after for call in trace.calls)
    for trace in after:
        known = before[trace.name]
        turns = tuple(replace(turn, latency_ms=None, request_id=None) for turn in known.turns)
        assert trace.turns == turns
        assert replace(trace, turns=known.turns, failures=known.failures) == known


@pytest.mark.parametrize("images", ["embed", "files"])
def test_images_in_an_export_are_no_obstacle(
    generated: Path, dataset: Path, tmp_path: Path, images: ImagesMode
) -> None:
    """They are derived again for the second export, from the rows alone, and are the same bytes."""
    with Store.open(generated) as store:
        sha256 = store.db.connection.execute("select sha256 from recipes order by id").fetchone()[0]
        filters = Filter(recipe=sha256)
        export(store, tmp_path / "first", filters=filters, options=ExportOptions(images=images))
    with new_store(tmp_path / "again.db") as again:
        import_traces(again, tmp_path / "first")
        assert "base64" not in "".join(dump(again))
        export(again, tmp_path / "second", filters=filters, options=ExportOptions(images=images))
    assert round_trip_files(tmp_path / "second") == round_trip_files(tmp_path / "first")


def test_what_came_back_is_proven_and_nothing_is_asked_again(
    generated: Path, dataset: Path, tmp_path: Path
) -> None:
    """An import of our own export is worth what was paid for it: its requests have their hashes."""
    with Store.open(generated) as store:
        export(store, tmp_path / "out")
    where = tmp_path / "again.db"
    with new_store(where) as again:
        import_traces(again, tmp_path / "out")
        for trace in traces_in(again):
            assert isinstance(trace.recipe, Recipe)
            assert RequestWriter(trace.recipe).hash(()) is not None
            assert all(turn.request_sha256 for turn in trace.turns)
    with teacher_server(wanderer) as server:
        recipe = {"protocol": "text", "bbox_frame": "norm1000"}
        tally = run(server.url, dataset, where, recipe=recipe, rollouts=2, turn_limit=3)
    assert (tally.done, tally.closed.total(), len(server.bodies)) == (12, 0, 0)


def test_stores_with_several_datasets_go_round_too(dataset: Path, tmp_path: Path) -> None:
    """Each dataset has its folder in the export; one with the same name is told from the other."""
    with new_store(tmp_path / "two.db") as store:
        fill(StoreBuilder(store, dataset))
        other = make_dataset(tmp_path / "elsewhere" / "photos", seed=3)
        fill(StoreBuilder(store, other))
        assert len(round_trip(store, tmp_path)) == 10


def test_names_are_the_same_in_the_store_that_an_export_comes_into(
    dataset: Path, tmp_path: Path
) -> None:
    """Also where the dataset without a label comes last, or not at all."""
    with new_store(tmp_path / "two.db") as store:
        for path in (dataset, make_dataset(tmp_path / "a_first_one", seed=3)):
            fill(StoreBuilder(store, path))
        before = {trace.name: trace.dataset.name for trace in traces_in(store)}
        assert len(before) == 10
        after = {trace.name: trace.dataset.name for trace in round_trip(store, tmp_path)}
        assert after == before
        export(store, tmp_path / "half", filters=Filter(where="dataset = 'a_first_one'"))
    with new_store(tmp_path / "half.db") as half:
        import_traces(half, tmp_path / "half")
        fill(StoreBuilder(half, dataset))
        there = {trace.name: trace.dataset.name for trace in traces_in(half)}
        assert there == before


@pytest.mark.parametrize("messages", MODES)
def test_what_was_imported_goes_round_as_well(
    folder: Path, dataset: Path, tmp_path: Path, messages: str
) -> None:
    """Traces of others come back under the same names, unknown things unknown."""
    write(folder / "more", history(3, mode="last"))
    write(folder / "more", log(4), "trace_00004_r3.json")
    with new_store(tmp_path / "mixed.db") as store:
        import_traces(store, folder, options=ReadOptions(model="m"))
        known = str(tmp_path / "known")
        write(tmp_path / "known", history(5))
        import_traces(store, known, options=ReadOptions(dataset_path=str(dataset)))
        StoreBuilder(store, dataset).play(1, [ZOOM_IN, answer(1.0, 2.0)])
        names = [trace.name for trace in traces_in(store)]
        after = round_trip(store, tmp_path, messages=messages)
    assert [trace.name for trace in after] == names
    assert sum(isinstance(trace.recipe, Recipe) for trace in after) == 1


def test_what_was_billed_goes_round_in_the_words_of_the_server(
    dataset: Path, tmp_path: Path
) -> None:
    """The usage object, the counts that are read in it, and what was only estimated."""
    billed = {
        "prompt_tokens": 1000,
        "completion_tokens": 2100,
        "total_tokens": 3100,
        "cached_tokens": 0,
        "cache_write_tokens": 900,
        "image_tokens": 640,
        "reasoning_tokens": 2000,
        "service_tier": "flex",
        "stated_cost": 0.0125,
        "usage": '{"completion_tokens":100,"cost":0.0125,"prompt_tokens":1000,"total_tokens":3100}',
    }
    counts = ("prompt_tokens", "completion_tokens", "total_tokens")
    guessed = {"estimated_prompt_tokens": 1500, "estimated_completion_tokens": 9}
    uncounted = {**dict.fromkeys(counts), **guessed}
    with new_store(tmp_path / "billed.db") as store:
        StoreBuilder(store, dataset).play(
            0, [{"response": ZOOM_IN, **billed}, {"response": answer(1.0, 2.0), **uncounted}]
        )
        (trace,) = round_trip(store, tmp_path)
    first, second = trace.turns
    assert {name: getattr(first, name) for name in billed} == billed
    assert {name: getattr(second, name) for name in uncounted} == uncounted
    assert second.usage is None


def test_the_reward_of_an_export_becomes_that_of_an_empty_store(
    dataset: Path, tmp_path: Path
) -> None:
    """Otherwise its scores would be others; a store that has a default keeps it."""
    spec = make_spec("linear", {"max": "15000"})
    with new_store(tmp_path / "linear.db") as store:
        adopt_default_spec(store.db, spec)
        fill(StoreBuilder(store, dataset))
        after = round_trip(store, tmp_path)
        export(store, tmp_path / "out")
    assert {trace.reward_spec for trace in after} == {"linear(max=15000)"}
    with new_store(tmp_path / "other.db") as other:
        write(tmp_path / "in", history(0))
        import_traces(other, tmp_path / "in")
        import_traces(other, tmp_path / "out")
        assert {trace.reward_spec for trace in traces_in(other)} == {"geoguessr"}


def _edited(path: Path, **changes: Any) -> None:
    document = json.loads(path.read_bytes())
    for place, value in changes.items():
        holder: Any = document
        *above, last = place.split("__")
        for key in above:
            holder = holder[int(key) if key.isdigit() else key]
        holder[last] = value
    path.write_text(json.dumps(document))


@pytest.mark.parametrize(
    "changes",
    [
        {"conversation_history__0__response": "Something else."},
        {"metadata__recipe": "0" * 64},
        {"geostore__turns": []},
        {"geostore__sent": None},
        {"geostore__calls__0__observation": "Image 1 shows the Eiffel Tower."},
        {"geostore__calls__0__call_index": "0"},
        {"geostore__turns__1__request_sha256": "f" * 64},
        {"geostore__turns__1__usage": 5},
        {"geostore__turns__1__cache_write_tokens": "0"},
        {"geostore__turns__1__stated_cost": "much"},
        {"geostore__rollout": 0},
        {"geostore__status": "open"},
        {"geostore__dataset": "beef"},
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_a_file_of_ours_that_was_edited_is_no_paid_work(
    store: Store, dataset: Path, tmp_path: Path, changes: dict[str, Any]
) -> None:
    """It is imported as anybody's file, under a recipe that no run has, and that is said."""
    with new_store(tmp_path / "own.db") as own:
        StoreBuilder(own, dataset).play(0, [ZOOM_IN, ZOOM_IN, answer(1.0, 2.0)])
        export(own, tmp_path / "out")
    _edited(tmp_path / "out" / "trace_00000.json", **changes)
    result = import_traces(store, tmp_path / "out")
    assert (result.imported, result.unproven) == (1, 1)
    assert result.unproven_why
    (trace,) = traces_in(store)
    assert isinstance(trace.recipe, ImportedRecipe)
    assert trace.recipe.settings["claimed_recipe"]
    assert {turn.request_sha256 for turn in trace.turns} == {None}


def test_without_their_manifest_our_files_prove_nothing(
    store: Store, dataset: Path, tmp_path: Path
) -> None:
    """The recipe stands there; with it beside them, also a few files of an export are whole."""
    with new_store(tmp_path / "own.db") as own:
        builder = StoreBuilder(own, dataset)
        for row in range(3):
            builder.play(row, [ZOOM_IN, answer(1.0, 2.0)])
        export(own, tmp_path / "out")
    alone = tmp_path / "alone"
    alone.mkdir()
    shutil.copy(tmp_path / "out" / "trace_00001.json", alone)
    result = import_traces(store, alone)
    assert (result.imported, result.unproven) == (1, 1)
    assert "manifest.json" in (result.unproven_why or "")
    shutil.copy(tmp_path / "out" / "manifest.json", alone)
    shutil.copy(tmp_path / "out" / "trace_00002.json", alone)
    result = import_traces(store, alone)
    assert (result.imported, result.unproven, result.known) == (1, 0, 1)


def test_a_secret_in_a_recipe_stays_out_and_so_its_traces_prove_nothing(
    store: Store, dataset: Path, tmp_path: Path
) -> None:
    """Numbers that a user adds to requests are exported; text could be anything."""
    secret = replace(TEXT_RECIPE, extra_body={"api_key": "sk-not-for-you", "top_p": 0.5})
    with new_store(tmp_path / "own.db") as own:
        StoreBuilder(own, dataset).play(0, [answer(1.0, 2.0)], recipe=secret)
        export(own, tmp_path / "out")
    (entry,) = json.loads((tmp_path / "out" / "manifest.json").read_bytes())["recipes"]
    assert (entry["extra_body"], entry["withheld"]) == (None, ["extra_body"])
    assert import_traces(store, tmp_path / "out").unproven == 1


def test_an_export_can_be_imported_into_the_store_it_came_from(
    dataset: Path, tmp_path: Path
) -> None:
    """All of it is known, and a later edit is a conflict."""
    with new_store(tmp_path / "own.db") as own:
        builder = StoreBuilder(own, dataset)
        builder.play(0, [ZOOM_IN, answer(1.0, 2.0)], recipe=NATIVE_RECIPE)
        builder.play(1, [answer(1.0, 2.0)])
        export(own, tmp_path / "out")
        before = traces_in(own)
        result = import_traces(own, tmp_path / "out")
        assert (result.imported, result.known) == (0, 2)
        assert traces_in(own) == before


def test_a_file_of_ours_from_another_dataset_is_told(
    store: Store, dataset: Path, tmp_path: Path
) -> None:
    """Its row number would name another photo there."""
    with new_store(tmp_path / "own.db") as own:
        StoreBuilder(own, dataset).play(0, [answer(1.0, 2.0)])
        export(own, tmp_path / "out")
    other = make_dataset(tmp_path / "other", seed=9)
    result, _ = problems(store, tmp_path / "out", dataset_path=str(other))
    assert result.skipped == Counter(other_dataset=1)
    moved = tmp_path / "moved"
    shutil.copytree(dataset, moved)
    result, _ = problems(store, tmp_path / "out", dataset_path=str(moved))
    assert result.imported == 1
    assert traces_in(store)[0].dataset.path == str(moved)


# --- what may be unknown ------------------------------------------------------------------------


def test_imports_leave_columns_open_that_a_run_must_fill(
    store: Store, dataset: Path, folder: Path
) -> None:
    fill(StoreBuilder(store, dataset))
    import_traces(store, folder)
    assert store.db.connection.execute("pragma integrity_check").fetchone()[0] == "ok"
    assert store.db.connection.execute("pragma foreign_key_check").fetchall() == []
    for statement in (
        "update turns set request_sha256 = null where run_id is not null",
        "update turns set turn_limit = null where run_id is not null",
        "update recipes set model = null where imported is null",
        "update datasets set num_rows = null where fingerprint is not null",
        "update datasets set columns = null where fingerprint is not null",
    ):
        with pytest.raises(sqlite3.IntegrityError):
            store.db.connection.execute(statement)
