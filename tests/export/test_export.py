"""Exports: what is in the files, that the same store gives the same bytes, all or nothing."""

from __future__ import annotations

import base64
import hashlib
import io
import itertools
import json
import sqlite3
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from geostore.conversation.messages import LAST_TURN, request_members
from geostore.errors import ExportError, StoreLockedError
from geostore.export import (
    FORMATS,
    QUALITY_SCORE,
    ExportOptions,
    Filter,
    Format,
    export,
    open_snapshot,
)
from geostore.export.files.folder import check_target
from geostore.export.files.layout import Layout
from geostore.identity import content_hash
from geostore.records import ImportedRecipe, Recipe, StoredTrace, TraceKey
from geostore.store import Scope, Store
from tests.builders import (
    NATIVE_RECIPE,
    NO_ANSWER,
    TEXT_RECIPE,
    TOOLLESS_RECIPE,
    ZOOM_IN,
    StoreBuilder,
    fill,
    make_dataset,
    played_recipe,
)
from tests.minds import answer
from tests.running import geostore

ENDED = 5  # traces of `fill` that came to an end


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_dataset(tmp_path_factory.mktemp("data") / "photos", subset=["a", "b", None, "d"])


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory, dataset: Path) -> Path:
    """A store with the traces of `fill` and an open one; exports only add rows about exports."""
    path = tmp_path_factory.mktemp("store") / "geostore.db"
    with Store.open(path, create=True, durability="normal") as store:
        builder = StoreBuilder(store, dataset)
        fill(builder)
        builder.play(2, [ZOOM_IN], recipe=NATIVE_RECIPE)
    return path


@pytest.fixture
def store(filled: Path) -> Iterator[Store]:
    with Store.open(filled) as opened:
        yield opened


@pytest.fixture
def own_store(tmp_path: Path) -> Iterator[Store]:
    """An empty store that a test may fill and damage."""
    with Store.open(tmp_path / "own.db", create=True, durability="normal") as opened:
        yield opened


def files_of(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def traces_of(folder: Path) -> dict[str, Any]:
    """Exported traces by their names, in the order of the export."""
    names = [line.split("  ")[1] for line in (folder / "SHA256SUMS").read_text().splitlines()]
    records = [json.loads((folder / name).read_bytes()) for name in names if ".json" in name]
    return {record["metadata"]["trace"]: record for record in records}


def stored(store: Store, name: str) -> StoredTrace:
    return store.traces.get_trace(store.traces.find_trace(name))


def as_sent(messages: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Messages as the canonical request has them: images by their hashes alone."""
    out = []
    for message in messages:
        content = message["content"]
        if isinstance(content, list):
            content = [
                {**part, "image_url": {"url": part["image_url"]["url"]}}
                if part["type"] == "image_url"
                else part
                for part in content
            ]
        out.append({**message, "content": content})
    return out


def image_parts(record: dict[str, Any]) -> list[dict[str, Any]]:
    return [
        part["image_url"]
        for entry in record["conversation_history"]
        for message in entry["messages"]
        if isinstance(message["content"], list)
        for part in message["content"]
        if part["type"] == "image_url"
    ]


def image_hashes(trace: StoredTrace) -> list[str]:
    images = [trace.photo, *(call.image for call in trace.calls)]
    return [image.sha256 for image in images if image is not None]


# --- what is in a trace file --------------------------------------------------------------------


def test_full_messages_are_the_requests_that_were_paid_for(store: Store, tmp_path: Path) -> None:
    """The canonical hash of every turn's exported messages is the hash kept with its response."""
    export(store, tmp_path / "out", options=ExportOptions(messages="full"))
    checked = 0
    for name, record in traces_of(tmp_path / "out").items():
        trace = stored(store, name)
        for turn, entry in zip(trace.turns, record["conversation_history"], strict=True):
            request = {
                **request_members(played_recipe(trace)),
                "messages": as_sent(entry["messages"]),
            }
            assert content_hash(request) == turn.request_sha256
            checked += 1
    assert checked == 3 + 3 + 1 + 2 + 2


def test_delta_messages_joined_are_the_full_ones(store: Store, tmp_path: Path) -> None:
    """`delta` loses nothing and repeats nothing; `last` has the last turn's request only."""
    for mode in ("full", "delta", "last"):
        export(store, tmp_path / mode, options=ExportOptions(messages=mode))
    full, delta, last = (traces_of(tmp_path / mode) for mode in ("full", "delta", "last"))
    for name in full:
        joined: list[dict[str, Any]] = []
        for whole, fresh in zip(
            full[name]["conversation_history"], delta[name]["conversation_history"], strict=True
        ):
            assert fresh["messages"]
            joined += fresh["messages"]
            assert joined == whole["messages"]
        *earlier, final = (entry["messages"] for entry in last[name]["conversation_history"])
        assert earlier == [[]] * len(earlier)
        assert final == joined


def test_a_trace_file_has_the_members_of_the_format_in_their_order(
    store: Store, dataset: Path, tmp_path: Path
) -> None:
    """Scripts that read the older files find everything where it was."""
    export(store, tmp_path / "out")
    name, record = next(iter(traces_of(tmp_path / "out").items()))
    trace = stored(store, name)
    assert list(record) == [
        "dataset_path",
        "sample_index",
        "sample_data",
        "conversation_history",
        "final_response",
        "reward_score",
        "tool_calls",
        "metadata",
        "geostore",
    ]
    assert record["dataset_path"] == str(dataset)
    assert record["sample_data"] == {
        "lat": 10.0,
        "lon": 20.0,
        "locatability_score": 0.05,
        "country": "france",
        "subset": "a",
    }
    assert [list(entry) for entry in record["conversation_history"]] == [
        ["turn", "messages", "response", "usage", "reasoning"],
        ["turn", "messages", "response", "usage"],
        ["turn", "messages", "response", "usage"],
    ]
    first = record["conversation_history"][0]
    assert first["turn"] == 1
    assert first["response"] == ZOOM_IN
    assert first["reasoning"] == "A sign."
    assert first["usage"] == {
        "prompt_tokens": 1001,
        "completion_tokens": 101,
        "total_tokens": 1102,
    }
    assert [message["role"] for message in first["messages"]] == ["system", "user"]
    assert record["final_response"] == answer(10.0, 20.001)
    assert trace.reward is not None
    assert record["reward_score"] == {
        "score": trace.reward.score,
        "distance@km": trace.reward.distance_km,
        "geoguessr@point": 5000,
        "parse_success": True,
        "acc@1km": 1.0,
        "acc@25km": 1.0,
        "acc@200km": 1.0,
        "acc@750km": 1.0,
        "acc@2500km": 1.0,
    }
    assert record["tool_calls"] == [
        {
            "turn": 1,
            "tool_call": {
                "name": "image_zoom_in_tool",
                "arguments": {"bbox_2d": [100, 100, 600, 700]},
            },
            "success": True,
        },
        {
            "turn": 2,
            "tool_call": {"name": "image_rotate_tool", "arguments": {"angle": 90}},
            "success": True,
        },
    ]
    assert record["metadata"] == {
        "total_turns": 3,
        "num_tool_calls": 2,
        "parse_success": True,
        "distance_km": trace.reward.distance_km,
        "score": trace.reward.score,
        "schema_version": 1,
        "trace": name,
        "recipe": trace.key.recipe_sha256,
        "reward_spec": "geoguessr",
        "stop_reason": "answer",
        "model": "test-text",
    }


def test_a_reference_names_dataset_row_and_operation(store: Store, tmp_path: Path) -> None:
    """By default no pixels are written, and what is written suffices to derive them."""
    export(store, tmp_path / "out")
    name, record = next(iter(traces_of(tmp_path / "out").items()))
    photo, zoomed, turned = image_parts(record)
    hashes = image_hashes(stored(store, name))
    assert [part["url"] for part in (photo, zoomed, turned)] == [f"sha256:{h}" for h in hashes]
    assert photo["reference"] == {
        "dataset": "photos",
        "sample_index": 0,
        "image_index": 0,
        "width": 480,
        "height": 360,
        "operation": None,
    }
    assert zoomed["reference"]["operation"] == {
        "name": "image_zoom_in_tool",
        "source_index": 0,
        "box": [48, 36, 288, 252],
        "angle": None,
    }
    assert turned["reference"]["image_index"] == 2
    assert turned["reference"]["operation"] == {
        "name": "image_rotate_tool",
        "source_index": 0,
        "box": None,
        "angle": 90.0,
    }


def test_an_unreadable_answer_carries_no_reward(store: Store, tmp_path: Path) -> None:
    """In the file it is 20,000 km and nothing won; it never looks like a near guess."""
    export(store, tmp_path / "out")
    record = next(r for r in traces_of(tmp_path / "out").values() if r["sample_index"] == 2)
    assert record["final_response"] == NO_ANSWER
    assert record["reward_score"] == {
        "score": 0.0,
        "distance@km": 20000.0,
        "geoguessr@point": 0,
        "parse_success": False,
        "acc@1km": 0.0,
        "acc@25km": 0.0,
        "acc@200km": 0.0,
        "acc@750km": 0.0,
        "acc@2500km": 0.0,
    }
    assert record["metadata"]["parse_success"] is False
    assert record["metadata"]["distance_km"] == 20000.0
    assert record["metadata"]["score"] == 0.0
    assert [call["success"] for call in record["tool_calls"]] == [True, False]


def test_arguments_that_are_no_json_are_kept_as_text(
    own_store: Store, dataset: Path, tmp_path: Path
) -> None:
    """A call that could not be read is still in the file, as the teacher wrote it."""
    builder = StoreBuilder(own_store, dataset)
    builder.play(0, ["<tool_call>zoom please</tool_call>", answer(1.0, 2.0)])
    export(own_store, tmp_path / "out")
    (record,) = traces_of(tmp_path / "out").values()
    assert record["tool_calls"] == [
        {
            "turn": 1,
            "tool_call": {"name": "", "arguments": "zoom please"},
            "success": False,
        }
    ]


def test_a_trace_without_a_reward_stops_the_export_and_is_named(
    own_store: Store, dataset: Path, tmp_path: Path
) -> None:
    """What was not scored yet must not pass for an answer that could not be read."""
    name = StoreBuilder(own_store, dataset).play(1, [answer(1.0, 2.0)])
    own_store.db.connection.execute("delete from rewards")
    with pytest.raises(ExportError, match=f"{name} has no reward.*geostore rescore"):
        export(own_store, tmp_path / "out")
    assert not (tmp_path / "out").exists()


# --- images -------------------------------------------------------------------------------------


def test_embedded_images_are_the_bytes_that_were_sent(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each data URL decodes to an image whose hash is in the rows; traces stay in order."""
    monkeypatch.setattr("os.cpu_count", lambda: 1)  # so that few traces are derived ahead
    export(store, tmp_path / "references")
    export(store, tmp_path / "out", options=ExportOptions(images="embed"))
    assert list(traces_of(tmp_path / "out")) == list(traces_of(tmp_path / "references"))
    for name, record in traces_of(tmp_path / "out").items():
        found = []
        for part in image_parts(record):
            assert list(part) == ["url"]
            head, data = part["url"].split(",")
            assert head == "data:image/jpeg;base64"
            found.append(base64.b64decode(data))
            Image.open(io.BytesIO(found[-1])).load()
        trace = stored(store, name)
        assert [hashlib.sha256(data).hexdigest() for data in found] == image_hashes(trace)


@pytest.mark.parametrize("format", ["trace", "jsonl"])
def test_image_files_are_the_bytes_that_were_sent(
    store: Store, tmp_path: Path, format: Format
) -> None:
    """Paths start at the folder of the file they stand in, and lead to files with the hashes."""
    out = tmp_path / "out"
    export(store, out, options=ExportOptions(format=format, images="files"))
    records = traces_of(out) if format == "trace" else lines_of(out)
    written = set()
    for name, record in records.items():
        paths = [part["url"] for part in image_parts(record)]
        data = [(out / path).read_bytes() for path in paths]
        assert [hashlib.sha256(d).hexdigest() for d in data] == image_hashes(stored(store, name))
        for path in paths:
            with Image.open(out / path) as image:
                image.load()
        written |= set(paths)
    assert written == {name for name in files_of(out) if name.startswith("images/")}


def test_one_photo_of_several_rollouts_is_one_file(
    own_store: Store, dataset: Path, tmp_path: Path
) -> None:
    """Eight rollouts of one photo, and a zoom that two of them share, are two images on disk."""
    builder = StoreBuilder(own_store, dataset)
    for rollout in range(1, 9):
        turns = [ZOOM_IN, answer(1.0, 2.0)] if rollout < 3 else [answer(1.0, 2.0)]
        builder.play(0, turns, rollout=rollout)
    formats: list[Format] = ["trace", "jsonl", "sharegpt"]
    for format in formats:
        out = tmp_path / format
        export(own_store, out, options=ExportOptions(format=format, images="files"))
        images = {name: data for name, data in files_of(out).items() if name.startswith("images/")}
        hashes = {hashlib.sha256(data).hexdigest() for data in images.values()}
        assert set(images) == {f"images/{sha256[:2]}/{sha256}.jpg" for sha256 in hashes}
        assert len(images) == 2


def test_images_of_another_dataset_stop_the_export(store: Store, tmp_path: Path) -> None:
    """Wrong photos are worse than none: the dataset is compared before anything is written."""
    other = make_dataset(tmp_path / "other", seed=7)
    with pytest.raises(ExportError, match="has changed since"):
        export(
            store, tmp_path / "out", options=ExportOptions(images="embed", dataset_path=str(other))
        )
    assert [path.name for path in tmp_path.iterdir()] == ["other"]


def test_an_image_that_comes_out_differently_stops_the_export(
    own_store: Store, dataset: Path, tmp_path: Path
) -> None:
    """What is embedded is what was sent, or the trace is named and nothing is written."""
    name = StoreBuilder(own_store, dataset).play(0, [ZOOM_IN, answer(1.0, 2.0)])
    own_store.db.connection.execute("update tool_calls set image_sha256 = 'ab'")
    with pytest.raises(ExportError, match=f"{name}: image 1 comes out in other bytes"):
        export(own_store, tmp_path / "out", options=ExportOptions(images="files"))
    assert not (tmp_path / "out").exists()


# --- jsonl --------------------------------------------------------------------------------------


def lines_of(folder: Path) -> dict[str, Any]:
    records = [json.loads(line) for line in (folder / "traces.jsonl").read_bytes().splitlines()]
    return {record["metadata"]["trace"]: record for record in records}


def test_jsonl_holds_the_same_records_in_the_same_order(store: Store, tmp_path: Path) -> None:
    """The formats differ in their packing only."""
    export(store, tmp_path / "files")
    export(store, tmp_path / "lines", options=ExportOptions(format="jsonl"))
    lines, files = lines_of(tmp_path / "lines"), traces_of(tmp_path / "files")
    assert list(lines) == list(files)
    assert lines == files
    assert set(files_of(tmp_path / "lines")) == {"traces.jsonl", "manifest.json", "SHA256SUMS"}


def test_jsonl_is_read_by_hugging_face_datasets(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rows that differ in shape (text and native protocol, with and without calls) load as one."""
    import datasets

    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", True)
    export(store, tmp_path / "out", options=ExportOptions(format="jsonl"))
    loaded = datasets.load_dataset(
        "json",
        data_files=str(tmp_path / "out" / "traces.jsonl"),
        cache_dir=str(tmp_path / "cache"),
        split="train",
    )
    assert len(loaded) == ENDED
    assert [row["metadata"]["trace"] for row in loaded] == list(lines_of(tmp_path / "out"))
    history = loaded[0]["conversation_history"]
    assert history[0]["messages"][1]["content"][0]["type"] == "image_url"


# --- which traces, under which names ------------------------------------------------------------


def test_open_and_failed_traces_are_left_out(store: Store, tmp_path: Path) -> None:
    """An export holds what came to an end with a response, in the order of rows and rollouts."""
    result = export(store, tmp_path / "out")
    names = list(traces_of(tmp_path / "out"))
    assert result.count == len(names) == ENDED
    assert [name.split("-")[0] + "-" + name.split("-")[2] for name in names] == [
        "0-1",
        "0-2",
        "1-1",
        "2-1",
        "3-1",
    ]
    statuses = {stored(store, name).status for name in names}
    assert statuses == {"answered"}


def test_exhausted_traces_are_exported(own_store: Store, dataset: Path, tmp_path: Path) -> None:
    """A trace that ran out of turns is a result, with its last response as the final one."""
    StoreBuilder(own_store, dataset).play(0, [ZOOM_IN, ZOOM_IN], turn_limit=2)
    export(own_store, tmp_path / "out")
    (record,) = traces_of(tmp_path / "out").values()
    assert record["metadata"]["stop_reason"] == "turn_limit"
    (trace,) = (stored(own_store, name) for name in traces_of(tmp_path / "out"))
    history = record["conversation_history"]
    messages = [message for entry in history for message in entry["messages"]]
    assert LAST_TURN in messages[-1]["content"][-1]["text"]
    request = {**request_members(played_recipe(trace)), "messages": as_sent(messages)}
    assert content_hash(request) == trace.turns[-1].request_sha256
    assert record["final_response"] == ZOOM_IN
    assert record["reward_score"]["parse_success"] is False


@pytest.mark.parametrize(
    ("filters", "rows"),
    [
        (Filter(), [0, 0, 1, 2, 3]),
        (Filter(min_score=0.0), [0, 0, 1, 3]),
        (Filter(min_score=0.95), [0, 3]),
        (Filter(max_distance_km=100.0), [0, 3]),
        (Filter(max_distance_km=30_000.0), [0, 0, 1, 3]),
        (Filter(min_score=0.5, max_distance_km=1.0), [0]),
        (Filter(min_turns=3), [0, 0]),
        (Filter(max_turns=2), [1, 2, 3]),
        (Filter(max_tokens=1101 + 1), [1]),
        (Filter(max_tokens=1102 + 2), [1, 2, 3]),
        (Filter(require_tools=True), [0, 0, 2, 3]),
    ],
)
def test_filters_keep_what_they_say(
    store: Store, tmp_path: Path, filters: Filter, rows: list[int]
) -> None:
    """Scores from a bound on, distances below one; either leaves out unreadable answers."""
    result = export(store, tmp_path / "out", filters=filters)
    assert result.count == len(rows)
    assert [record["sample_index"] for record in traces_of(tmp_path / "out").values()] == rows


def test_a_score_at_the_bound_is_kept_and_a_distance_at_it_is_not(
    store: Store, tmp_path: Path
) -> None:
    """The bounds are those of the older quality filter."""
    export(store, tmp_path / "all")
    record = next(r for r in traces_of(tmp_path / "all").values() if r["sample_index"] == 3)
    score, distance = record["metadata"]["score"], record["metadata"]["distance_km"]
    kept = export(store, tmp_path / "a", filters=Filter(min_score=score)).count
    assert kept == 2
    assert export(store, tmp_path / "b", filters=Filter(max_distance_km=distance)).count == 1


def test_one_recipe_gives_short_names(own_store: Store, dataset: Path, tmp_path: Path) -> None:
    """The usual case has the older scripts' file names; later rollouts say which they are."""
    builder = StoreBuilder(own_store, dataset)
    builder.play(3, [answer(1.0, 2.0)])
    builder.play(3, [answer(1.0, 2.0)], rollout=12)
    export(own_store, tmp_path / "out")
    assert sorted(files_of(tmp_path / "out")) == [
        "SHA256SUMS",
        "manifest.json",
        "trace_00003.json",
        "trace_00003_r12.json",
    ]


def test_several_recipes_are_told_apart_by_their_hash(
    own_store: Store, dataset: Path, tmp_path: Path
) -> None:
    """Two recipes on one photo are two files; a filter to one of them gives short names again."""
    builder = StoreBuilder(own_store, dataset)
    one = builder.play(1, [answer(1.0, 2.0)])
    builder.play(1, [answer(1.0, 2.0)], recipe=TOOLLESS_RECIPE, rollout=2)
    export(own_store, tmp_path / "out")
    short = {recipe: stored_hash(own_store, recipe) for recipe in ("text", "toolless")}
    assert {name for name in files_of(tmp_path / "out") if "trace" in name} == {
        f"trace_00001_{short['text']}.json",
        f"trace_00001_{short['toolless']}_r2.json",
    }
    export(own_store, tmp_path / "one", filters=Filter(recipe=one.split("-")[1]))
    assert "trace_00001.json" in files_of(tmp_path / "one")


def stored_hash(store: Store, recipe: str) -> str:
    tools = "= '[]'" if recipe == "toolless" else "<> '[]'"
    row = store.db.connection.execute(f"select sha256 from recipes where tools {tools}")
    return str(row.fetchone()[0])[:8]


@pytest.mark.parametrize("second", ["streets", "Photos"])
def test_each_of_several_datasets_has_a_folder(
    own_store: Store, dataset: Path, tmp_path: Path, second: str
) -> None:
    """The same row of two datasets never meets in one file, even where case is not told apart."""
    other = make_dataset(tmp_path / second, seed=3)
    for path in (dataset, other):
        StoreBuilder(own_store, path).play(0, [ZOOM_IN, answer(1.0, 2.0)])
    export(own_store, tmp_path / "out", options=ExportOptions(images="files"))
    folders = {Path(name).parent for name in files_of(tmp_path / "out") if "trace_" in name}
    names = {folder.parts[0].split("-")[0] for folder in folders}
    assert names == {"photos", second}
    assert len({folder.parts[0].lower() for folder in folders}) == 2
    records = traces_of(tmp_path / "out")
    for name, record in records.items():
        of_first = record["dataset_path"] == str(dataset)
        assert name.startswith("0-" if of_first else f"{second}:0-")
        file = next(
            folder
            for folder in folders
            if folder.name.split("-")[0] == ("photos" if of_first else second)
        )
        for part in image_parts(record):
            assert part["url"].startswith("../images/")
            assert (tmp_path / "out" / file / part["url"]).is_file()
    export(own_store, tmp_path / "lines", options=ExportOptions(format="jsonl", images="files"))
    for record in lines_of(tmp_path / "lines").values():
        for part in image_parts(record):
            assert (tmp_path / "lines" / part["url"]).is_file()


@given(
    keys=st.sets(
        st.tuples(
            st.integers(0, 200_000), st.sampled_from(["a" * 64, "b" * 64]), st.integers(1, 30)
        ),
        min_size=2,
    )
)
def test_no_two_traces_share_a_file_name(
    template: StoredTrace, keys: set[tuple[int, str, int]]
) -> None:
    """Whatever the rows, recipes and rollouts, a name stands for one trace."""
    recipes: dict[str, Recipe | ImportedRecipe] = {sha256: TEXT_RECIPE for _, sha256, _ in keys}
    layout = Layout(Scope((template.dataset,), recipes))
    stems = {layout.stem(replace(template, key=TraceKey(*key))) for key in keys}
    assert len(stems) == len(keys)


@pytest.fixture(scope="module")
def template(filled: Path) -> StoredTrace:
    with open_snapshot(filled) as snapshot:
        return next(snapshot.traces(Filter()))


# --- the same bytes, all or nothing -------------------------------------------------------------


def test_two_exports_are_the_same_bytes(store: Store, tmp_path: Path) -> None:
    """Nothing of the moment is in the files."""
    first = export(store, tmp_path / "a", options=ExportOptions(images="files", messages="full"))
    second = export(store, tmp_path / "b", options=ExportOptions(images="files", messages="full"))
    assert files_of(tmp_path / "a") == files_of(tmp_path / "b")
    assert first.sha256 == second.sha256


@pytest.mark.parametrize("format", ["trace", "jsonl"])
def test_the_order_in_which_rows_came_does_not_matter(
    store: Store, own_store: Store, dataset: Path, tmp_path: Path, format: Format
) -> None:
    """A store filled in another order, with other ids, exports the same bytes."""
    builder = StoreBuilder(own_store, dataset)
    builder.play(2, [ZOOM_IN], recipe=NATIVE_RECIPE)
    fill(builder, backwards=True)
    export(store, tmp_path / "a", options=ExportOptions(format=format))
    export(own_store, tmp_path / "b", options=ExportOptions(format=format))
    assert files_of(tmp_path / "a") == files_of(tmp_path / "b")


def test_the_manifest_vouches_for_every_file(store: Store, tmp_path: Path) -> None:
    """SHA256SUMS lists all data files with their hashes; the manifest holds its hash."""
    result = export(
        store,
        tmp_path / "out",
        filters=Filter(min_score=0.5),
        options=ExportOptions(images="files"),
    )
    files = files_of(tmp_path / "out")
    manifest = json.loads(files.pop("manifest.json"))
    sums = files.pop("SHA256SUMS")
    lines = (line.split("  ") for line in sums.decode().splitlines())
    listed = {name: sha256 for sha256, name in lines}
    assert listed == {name: hashlib.sha256(data).hexdigest() for name, data in files.items()}
    assert manifest["sha256"] == result.sha256 == hashlib.sha256(sums).hexdigest()
    assert manifest["count"] == result.count == 3
    assert manifest["filter"]["min_score"] == 0.5
    assert manifest["format"] == "trace"
    assert manifest["images"] == "files"
    assert manifest["schema_version"] == 1
    assert manifest["reward_spec"]["name"] == "geoguessr"
    assert [recipe["model"] for recipe in manifest["recipes"]] == ["test-text", "test-native"]
    assert manifest["recipes"][1]["tools"] == list(NATIVE_RECIPE.tools)


def test_an_export_is_a_row_of_the_store(store: Store, tmp_path: Path) -> None:
    """Which export was made, of what and how, can be asked of the store."""
    result = export(
        store,
        tmp_path / "out",
        filters=Filter(max_distance_km=100.0),
        options=ExportOptions(format="jsonl"),
    )
    row = store.db.connection.execute("select * from exports order by id desc limit 1").fetchone()
    assert (row["format"], row["trace_count"], row["sha256"]) == ("jsonl", 2, result.sha256)
    assert row["path"] == str(tmp_path / "out") == str(result.path)
    assert json.loads(row["options"])["filter"]["max_distance_km"] == 100.0


def test_an_earlier_export_is_replaced_as_a_whole(store: Store, tmp_path: Path) -> None:
    """No file of the earlier one stays, and nothing stays beside it."""
    out = tmp_path / "out"
    export(store, out, options=ExportOptions(images="files"))
    export(store, out, filters=Filter(max_distance_km=1.0))
    assert len(traces_of(out)) == 1
    assert not (out / "images").exists()
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_a_failure_half_way_leaves_the_earlier_export(
    own_store: Store, dataset: Path, tmp_path: Path
) -> None:
    """Traces before the one that fails were written, and none of them is seen."""
    builder = StoreBuilder(own_store, dataset)
    for row in range(4):
        builder.play(row, [answer(float(row), 2.0)])
    out = tmp_path / "out"
    export(own_store, out)
    before = files_of(out)
    own_store.db.connection.execute("delete from rewards where trace_id = 3")
    own_store.db.connection.execute("update samples set country = 'other'")
    with pytest.raises(ExportError, match="has no reward"):
        export(own_store, out)
    assert files_of(out) == before
    assert {path.name for path in tmp_path.iterdir() if path.is_dir()} == {"out"}
    assert own_store.db.connection.execute("select count(*) from exports").fetchone()[0] == 1


def test_an_export_that_cannot_be_recorded_is_not_put_in_place(
    own_store: Store, dataset: Path, tmp_path: Path
) -> None:
    """The row and the folder come together: a locked store leaves the earlier export."""
    StoreBuilder(own_store, dataset).play(0, [answer(1.0, 2.0)])
    out = tmp_path / "out"
    export(own_store, out)
    before = files_of(out)
    own_store.db.connection.execute("pragma busy_timeout = 0")
    other = sqlite3.connect(own_store.path, isolation_level=None)
    try:
        other.execute("begin immediate")
        with pytest.raises(StoreLockedError):
            export(own_store, out, options=ExportOptions(messages="full"))
    finally:
        other.close()
    assert files_of(out) == before
    assert {path.name for path in tmp_path.iterdir() if path.is_dir()} == {"out"}


def test_an_export_that_cannot_be_put_in_place_is_not_recorded(
    own_store: Store, dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The other way round: where the last rename fails, the earlier export is put back."""
    StoreBuilder(own_store, dataset).play(0, [answer(1.0, 2.0)])
    out = tmp_path / "out"
    export(own_store, out)
    before = files_of(out)
    rename = Path.rename

    def refuse(path: Path, target: Path) -> Path:
        if ".partial-" in path.name:
            raise PermissionError("not here")
        return rename(path, target)

    monkeypatch.setattr(Path, "rename", refuse)
    with pytest.raises(ExportError, match="out cannot be written: not here"):
        export(own_store, out, options=ExportOptions(messages="full"))
    assert files_of(out) == before
    assert {path.name for path in tmp_path.iterdir() if path.is_dir()} == {"out"}
    assert own_store.db.connection.execute("select count(*) from exports").fetchone()[0] == 1


def test_an_export_that_a_killed_process_put_aside_is_put_back(
    store: Store, tmp_path: Path
) -> None:
    """Between two renames there is no export at its place; the next look mends that."""
    out = tmp_path / "out"
    export(store, out)
    before = files_of(out)
    out.rename(tmp_path / ".out.replaced-0123abcd")
    assert check_target(out) == out
    assert files_of(out) == before


def test_other_peoples_files_are_never_replaced(store: Store, tmp_path: Path) -> None:
    """A folder is replaced only if an export wrote it and everything in it."""
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "manifest.json").write_text('{"name": "something else"}')
    with pytest.raises(ExportError, match="is no export of geostore's"):
        export(store, mine)
    (tmp_path / "file").write_text("text")
    with pytest.raises(ExportError, match="is a file"):
        export(store, tmp_path / "file")
    export(store, tmp_path / "out")
    (tmp_path / "out" / "notes.txt").write_text("do not lose this")
    with pytest.raises(ExportError, match=r"notes\.txt"):
        export(store, tmp_path / "out")
    assert (tmp_path / "out" / "notes.txt").read_text() == "do not lose this"


def test_an_empty_folder_is_used_and_missing_parents_are_made(store: Store, tmp_path: Path) -> None:
    """Nothing is lost by either, so neither is refused."""
    (tmp_path / "empty").mkdir()
    assert export(store, tmp_path / "empty").count == ENDED
    assert export(store, tmp_path / "a" / "b").count == ENDED


def test_a_filter_that_keeps_nothing_says_why_and_leaves_the_earlier_export(
    store: Store, tmp_path: Path
) -> None:
    export(store, tmp_path / "out")
    before = files_of(tmp_path / "out")
    for format in FORMATS:
        with pytest.raises(ExportError, match=r"to export; left out 7 of 7: .* 4 below 2$"):
            export(
                store,
                tmp_path / "out",
                filters=Filter(min_score=2.0),
                options=ExportOptions(
                    format=format, pairs_for="swift" if format == "pairs" else None
                ),
            )
    with pytest.raises(ExportError, match=r"1 not ended yet, 1 failed, 5 not exhausted$"):
        export(store, tmp_path / "out", filters=Filter(statuses=("exhausted",)))
    assert files_of(tmp_path / "out") == before


def test_an_empty_store_has_nothing_to_export(own_store: Store, tmp_path: Path) -> None:
    with pytest.raises(ExportError, match="holds no trace yet"):
        export(own_store, tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("filters", "text"),
    [
        (Filter(), "2 of 7: 1 not ended yet, 1 failed"),
        (
            Filter(min_score=0.3),
            "4 of 7: 1 not ended yet, 1 failed, 1 without coordinates, 1 below 0.3",
        ),
        (
            Filter(max_distance_km=1.0),
            "6 of 7: 1 not ended yet, 1 failed, 1 without coordinates, 3 not closer than 1 km",
        ),
        (
            Filter(where="sample_index = 0"),
            "5 of 7: 1 not ended yet, 1 failed, 3 not meeting sample_index = 0",
        ),
    ],
)
def test_an_export_says_how_many_traces_it_left_out_and_why(
    store: Store, tmp_path: Path, filters: Filter, text: str
) -> None:
    assert export(store, tmp_path / "out", filters=filters).left_out == text


def test_every_trace_is_kept_or_left_out_for_one_reason(store: Store) -> None:
    """Two statements read the conditions, so they must agree on every one and on several."""
    with open_snapshot(store.path) as snapshot:
        recipes = [sha256[:8] for sha256 in snapshot.scope(Filter()).recipes]
        choices: dict[str, list[Any]] = {
            "min_score": [None, 0.3],
            "max_distance_km": [None, 100.0],
            "recipe": [None, recipes[0]],
            "statuses": [("answered",), ("answered", "exhausted")],
            "model": [None, "other"],
            "since": [None, "2999-01-01T00:00:00.000Z"],
            "where": [None, "tool_calls > 0"],
            "min_turns": [None, 2],
            "max_turns": [None, 1],
            "max_tokens": [None, 100],
            "require_tools": [False, True],
            "flags": [(), ("truncated",)],
            "exclude_flags": [(), ("truncated",)],
        }
        for values in itertools.product(*choices.values()):
            filters = Filter(**dict(zip(choices, values, strict=True)))
            kept = sum(1 for _ in snapshot.traces(filters, with_turns=True))
            left_out = snapshot.left_out(filters)
            assert kept + left_out.total() == 7, filters
            assert snapshot.left_out(filters, kept=kept) == left_out


def test_the_quality_preset_is_the_filter_of_the_older_scripts(
    filled: Path, tmp_path: Path
) -> None:
    """Above 0.3 and closer than 5,000 km; and what else is asked for holds beside it."""
    options = ("export", tmp_path / "out", "--store", filled, "--preset", "quality")
    kept = geostore(*options)
    assert kept.stdout.startswith("wrote 3 traces")
    assert kept.stderr.endswith("1 without coordinates, 1 below 0.3\n")
    # The preset's own bound is the nearer one, so this is the same export.
    wide = geostore(*options, "--max-distance", "90000")
    assert wide.stdout.startswith("unchanged: 3 traces")
    assert geostore(*options, "--max-distance", "100").stdout.startswith("wrote 2 traces")
    assert geostore(*options, "--where", "turns > 2 -- or so").stdout.startswith("wrote 2 traces")
    assert QUALITY_SCORE > 0.3


def test_the_command_says_what_it_left_out_and_exits_1_where_nothing_is_left(
    filled: Path, tmp_path: Path
) -> None:
    options = ("export", tmp_path / "out", "--store", filled)
    some = geostore(*options, "--min-score", "0.95")
    assert some.returncode == 0
    words = " ".join(some.stdout.split())  # a long path breaks the line
    assert words.startswith(f"wrote 2 traces to {tmp_path / 'out'} (sha256 ")
    assert some.stderr == (
        "left out 5 of 7: 1 not ended yet, 1 failed, 1 without coordinates, 2 below 0.95\n"
    )
    none = geostore(*options, "--min-score", "2")
    assert none.returncode == 1
    assert "no trace is left to export; left out 7 of 7: " in none.stderr


def test_unknown_options_are_named(store: Store, tmp_path: Path) -> None:
    """A wrong word is an error that lists the right ones."""
    with pytest.raises(ExportError, match="no format 'csv'; choose one of trace, jsonl"):
        export(store, tmp_path / "out", options=ExportOptions(format="csv"))  # type: ignore[arg-type]  # refused below the types too
    with pytest.raises(ExportError, match="no images 'all'"):
        export(store, tmp_path / "out", options=ExportOptions(images="all"))  # type: ignore[arg-type]  # the same


def test_a_place_that_cannot_be_written_is_named(store: Store, tmp_path: Path) -> None:
    """An error of the file system is one sentence."""
    (tmp_path / "file").write_text("text")
    with pytest.raises(
        ExportError, match=r"/out cannot be written: (File exists|Not a directory)\Z"
    ):
        export(store, tmp_path / "file" / "out")


# --- what is not in it --------------------------------------------------------------------------


def test_nothing_secret_and_no_path_of_an_image_is_exported(
    own_store: Store, dataset: Path, tmp_path: Path
) -> None:
    """Members added to requests stay out, and the only path is the dataset's."""
    recipe = replace(TEXT_RECIPE, extra_body={"api_key": "sk-not-for-you"})
    StoreBuilder(own_store, dataset).play(0, [ZOOM_IN, answer(1.0, 2.0)], recipe=recipe)
    for images in ("reference", "embed", "files"):
        out = tmp_path / images
        export(own_store, out, options=ExportOptions(images=images))
        for name, data in files_of(out).items():
            assert b"sk-not-for-you" not in data, name
            text = data.replace(json.dumps({"dataset_path": str(dataset)}).encode()[1:-1], b"")
            assert str(tmp_path).encode() not in text, name
            assert str(dataset.parent).encode() not in text, name


# --- the reader ---------------------------------------------------------------------------------


def test_the_reader_gives_what_the_store_gives(store: Store) -> None:
    """Reading many at a time and one by one are the same; all statuses are there."""
    with open_snapshot(store.path) as snapshot:
        read = list(snapshot.traces(Filter(statuses=None)))
    assert [trace.status for trace in read].count("answered") == ENDED
    assert {trace.status for trace in read} == {"answered", "failed", "open"}
    assert read == [stored(store, trace.name) for trace in read]


def test_a_snapshot_stands_still_while_traces_are_added(own_store: Store, dataset: Path) -> None:
    """A run that goes on beside an export changes nothing in it."""
    builder = StoreBuilder(own_store, dataset)
    for row in range(3):
        builder.play(row, [answer(1.0, 2.0)])
    with open_snapshot(own_store.path, batch=1) as snapshot:
        traces = snapshot.traces(Filter())
        first = next(traces)
        builder.play(3, [answer(1.0, 2.0)])
        own_store.db.connection.execute("update traces set stop_reason = 'changed'")
        later = list(traces)
        assert list(snapshot.traces(Filter())) == [first, *later]
    assert [trace.key.sample_index for trace in (first, *later)] == [0, 1, 2]
    assert {trace.stop_reason for trace in later} == {"answer"}


def test_traces_come_in_order_across_batches(own_store: Store, dataset: Path) -> None:
    """A batch's end is not to be seen: each trace has its own turns and calls."""
    builder = StoreBuilder(own_store, dataset)
    names = [
        builder.play(row, [ZOOM_IN] * row + [answer(1.0, 2.0)], rollout=rollout)
        for row in range(3)
        for rollout in (1, 2)
    ]
    with open_snapshot(own_store.path, batch=2) as snapshot:
        read = list(snapshot.traces(Filter()))
    assert [trace.name for trace in read] == names
    assert [len(trace.turns) for trace in read] == [1, 1, 2, 2, 3, 3]
    assert [len(trace.calls) for trace in read] == [0, 0, 1, 1, 2, 2]
