"""What a batch of imported traces is: its own rewards, and whether it had tools."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from geostore.errors import ExportError
from geostore.export import Filter, export
from geostore.importing import IMPORTED_REWARD, ReadOptions, import_traces
from geostore.query.stats import stats
from geostore.rewards import rename_spec, set_default
from geostore.store import Store
from tests.running import geostore
from tests.trace_files import final, history, log, write


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store.open(tmp_path / "geostore.db", create=True, durability="normal") as opened:
        yield opened


def without_tools(index: int, **more: Any) -> dict[str, Any]:
    """A trace of a teacher that was offered no tool: one turn, no call."""
    document = history(index, **more)
    last = document["conversation_history"][1]
    messages = [
        {"role": "system", "content": "You are a geolocation expert."},
        {"role": "user", "content": "Where was this photo taken?"},
    ]
    document["conversation_history"] = [{**last, "turn": 1, "messages": messages}]
    document["tool_calls"] = []
    return document


def rows(where: Path, name: str, *options: Any) -> list[dict[str, Any]]:
    """The answer to a named question, from the command line."""
    said = geostore("query", name, "--store", where, "--format", "json", *options)
    assert said.returncode == 0, said.stderr
    answer: list[dict[str, Any]] = json.loads(said.stdout)
    return answer


# --- rewards ------------------------------------------------------------------------------------


@pytest.fixture
def scored(tmp_path: Path) -> Path:
    """A store of four: one that both read alike, one that the file rates lower, one that only the
    file read, one that only geostore reads. The files say 400.5 km and 0.75 of the first three."""
    where = tmp_path / "geostore.db"
    place = tmp_path / "in"
    write(place, history(0, answer=final(13.6, 20.0)))  # 400.3 km
    write(place, history(1))
    write(place, history(2, answer="Somewhere in the north."))
    unread = {"score": 0.0, "distance@km": 20000.0, "parse_success": False}
    write(place, log(3, reward_score=unread))
    with Store.open(where, create=True) as store:
        assert import_traces(store, place).imported == 4
    return where


def test_the_files_rewards_are_a_reward_like_any_other(scored: Path) -> None:
    """Stats under them give what the older scripts reported: three read, one failure."""
    ours, theirs = stats(scored).store, stats(scored, IMPORTED_REWARD.sha256).store
    assert (ours.parse_success_rate, ours.failures, ours.unscored) == (0.75, 1, 0)
    assert (theirs.parse_success_rate, theirs.failures, theirs.unscored) == (0.75, 1, 0)
    assert theirs.mean_km == pytest.approx(400.5)
    assert theirs.mean_score == pytest.approx(0.75)
    assert theirs.mean_km_failures_20000 == pytest.approx((3 * 400.5 + 20_000) / 4)
    assert theirs.mean_score_failures_0 == pytest.approx(0.75 * 3 / 4)


def test_a_question_takes_them_and_the_comparison_of_both_stays(scored: Path) -> None:
    """imported_rewards compares the files with geostore's reading, whichever reward is chosen."""
    for options in ((), ("--reward", "imported")):
        found = rows(scored, "imported_rewards", *options)
        assert sum(row["parsed_by_both"] for row in found) == 2
        assert sum(row["parsed_by_file"] for row in found) == 1
        assert sum(row["parsed_by_us"] for row in found) == 1
        assert sum(row["differ_by_a_km"] for row in found) == 1
    (row,) = rows(scored, "select count(score) as n from trace_results", "--reward", "imported")
    assert row["n"] == 3


def test_rewards_can_be_compared_with_those_of_the_files(scored: Path) -> None:
    """Ranks and acceptance of the formula against what the files hold."""
    said = geostore("rescore", "--reward", "linear", "--compare", "imported", "--store", scored)
    assert said.returncode == 0, said.stderr
    assert "compared: 2 traces with a score under both" in said.stdout
    assert "1 under the first alone, 1 under the second alone" in said.stdout


def test_the_files_reward_can_be_the_default(scored: Path, tmp_path: Path) -> None:
    """Then views, queries and exports follow it, and a later import still works."""
    said = geostore("rewards", "default", "imported", "--store", scored)
    assert said.returncode == 0, said.stderr
    assert "rescore" not in said.stderr
    shown = geostore("rewards", "show", "imported", "--store", scored, "--json")
    assert (json.loads(shown.stdout)["rewards"], "missing" in json.loads(shown.stdout)) == (
        4,
        False,
    )
    expected = [(0, 400.5, 0.75), (0, 400.5, 0.75), (0, 400.5, 0.75), (1, 20_000.0, 0.0)]
    question = (
        "select failure::integer as failure, distance_km_or_20000, score_or_0 from trace_results"
        " order by sample_index"
    )
    assert [tuple(row.values()) for row in rows(scored, question)] == expected
    plain = (
        "select failure, distance_km_or_20000, score_or_0 from trace_results order by sample_index"
    )
    with closing(sqlite3.connect(scored)) as connection:
        assert connection.execute(plain).fetchall() == expected
    write(tmp_path / "in", history(4))
    with Store.open(scored) as store:
        result = import_traces(store, tmp_path / "in")
        assert (result.imported, result.rewards) == (1, 0)
        exported = export(store, tmp_path / "out")
        assert exported.count == 5
    written = json.loads(next((tmp_path / "out").rglob("trace_00002*.json")).read_bytes())
    assert written["reward_score"]["distance@km"] == 400.5
    assert written["reward_score"]["parse_success"] is True
    failed = next((tmp_path / "out").rglob("trace_00003*.json"))
    assert json.loads(failed.read_bytes())["reward_score"]["parse_success"] is False


@pytest.mark.parametrize("condition", [False, True], ids=["options", "where"])
def test_an_export_chooses_by_them(scored: Path, tmp_path: Path, condition: bool) -> None:
    """--min-score, --max-distance and conditions ask the reward that is named, not the default."""
    chosen = (
        Filter(reward="imported", where="score_or_0 >= 0.5 and not failure")
        if condition
        else Filter(reward="imported", min_score=0.5, max_distance_km=500.0)
    )
    with Store.open(scored) as store:
        for default in ("geoguessr", "imported"):
            with store.db.transaction():
                set_default(store.db, default)
            out = tmp_path / default
            result = export(store, out, filters=chosen)
            assert result.count == 3
            assert result.left_out is not None
            assert condition or result.left_out == "1 of 4: 1 without coordinates"
            other = Filter(reward="geoguessr", where="failure")
            assert export(store, tmp_path / f"{default}-failures", filters=other).count == 1


def test_a_trace_without_a_reward_of_its_own_is_named_by_an_export(
    store: Store, tmp_path: Path
) -> None:
    """Nothing could compute what its file does not hold, so another way is named."""
    write(tmp_path / "in", history(0))
    write(tmp_path / "in", history(1, reward_score=None))
    import_traces(store, tmp_path / "in")
    out = tmp_path / "out"
    with pytest.raises(Exception, match=r"came with no reward of its own; choose another"):
        export(store, out, filters=Filter(reward="imported"))
    kept = Filter(reward="imported", where="score is not null")
    assert export(store, out, filters=kept).count == 1


# --- tools --------------------------------------------------------------------------------------


def lift(where: Path) -> dict[str, Any]:
    found = rows(where, "tool_lift")
    return {} if not found else found[-1]


def test_a_batch_with_a_call_had_tools_and_one_without_had_none(
    store: Store, tmp_path: Path
) -> None:
    """tool_lift pairs them, though no file says which tools there were and none names its model."""
    for index in range(3):
        document = history(index)
        if index:  # an eager teacher answers at once, and had the tools all the same
            document["conversation_history"][0]["response"] = "Let me think."
            document["tool_calls"] = []
        write(tmp_path / "in" / "tools", document)
        far = final(50.0, 100.0)
        write(tmp_path / "in" / "plain", without_tools(index, answer=far))
    import_traces(store, tmp_path / "in")
    found = rows(store.path, "tool_lift")
    assert [(row["model"], row["pairs"], row["share_tools_better"]) for row in found] == [
        ("(unknown)", 3, 1.0),
        ("(all)", 3, 1.0),
    ]
    view = "select with_tools, count(*) from trace_results group by 1 order by 1"
    counted = store.db.connection.execute(view).fetchall()
    assert [tuple(row) for row in counted] == [(0, 3), (1, 3)]


def test_the_user_says_what_no_call_shows(store: Store, tmp_path: Path) -> None:
    """--tools and --no-tools are a part of the recipe, and keep two batches apart by themselves."""
    for index in range(2):
        quiet = without_tools(index)
        write(tmp_path / "with", quiet)
        write(
            tmp_path / "without",
            {
                **quiet,
                "final_response": None,
                "sample_data": {**quiet["sample_data"], "city": "elsewhere"},
            },
        )
    for folder, tools in (("with", True), ("without", False)):
        result = import_traces(store, tmp_path / folder, options=ReadOptions(tools=tools))
        assert result.imported == 2
    assert lift(store.path)["pairs"] == 2


def test_a_file_that_says_its_tools_is_believed(store: Store, tmp_path: Path) -> None:
    """The options are for files that do not say; names of tools say it too."""
    write(tmp_path / "in", log(0))
    named = log(1)
    named["initial_prompt"]["tools"] = ["image_zoom_in_tool"]
    write(tmp_path / "in", {**named, "tool_calls_log": []})
    none = log(2)
    none["initial_prompt"]["tools"] = []
    write(tmp_path / "in", {**none, "tool_calls_log": []})
    import_traces(store, tmp_path / "in", options=ReadOptions(tools=False))
    view = "select sample_index, with_tools from trace_results order by 1"
    counted = store.db.connection.execute(view).fetchall()
    assert [tuple(row) for row in counted] == [(0, 1), (1, 1), (2, 0)]


def test_a_call_where_no_tool_was_offered_is_told(tmp_path: Path) -> None:
    """It would spoil the arm without tools, so its file is left out by name."""
    write(tmp_path / "in", history(0))
    write(tmp_path / "in", without_tools(1))
    said = geostore("import", tmp_path / "in", "--no-tools", "--store", tmp_path / "geostore.db")
    assert said.returncode == 0
    assert "skipped (has_calls)" in said.stderr
    assert "--no-tools" in said.stderr
    assert "imported 1 trace of 2 files" in said.stdout


# --- show ---------------------------------------------------------------------------------------


def shown(store: Store, document: dict[str, Any], place: Path) -> str:
    """What `show` says of the only trace, on one line."""
    write(place, document)
    assert import_traces(store, place).imported == 1
    said = geostore("show", "--newest", "--store", store.path)
    assert said.returncode == 0, said.stderr
    return " ".join(said.stdout.split())


@pytest.mark.parametrize("mode", ["full", "delta"])
def test_show_tells_what_a_call_asked_and_what_the_tool_said(
    store: Store, tmp_path: Path, mode: str
) -> None:
    """The file has the tool's words in the messages of the next turn alone."""
    document = history(0, mode=mode)
    parts = document["conversation_history"][1]["messages"][-1]["content"]
    parts[0]["text"] = "<tool_response>Zoomed in; the new image is image 1."
    text = shown(store, document, tmp_path / "in")
    assert 'call 1: image_zoom_in_tool arguments: {"bbox_2d":[1,2,30,40]}' in text
    assert "the tool said: Zoomed in; the new image is image 1. [image]" in text


def test_show_tells_the_words_of_several_tools_apart(store: Store, tmp_path: Path) -> None:
    """Where the file has one message with the words of two calls."""
    document = history(0)
    document["tool_calls"] *= 2
    words = "<tool_response>One.</tool_response>\n<tool_response>Two.</tool_response>"
    document["conversation_history"][1]["messages"][-1]["content"] = words
    text = shown(store, document, tmp_path / "in")
    first, second = text.split("call 2:")
    assert "the tool said: One." in first
    assert "the tool said: Two." in second
    assert "Two." not in first.split("call 1:")[1]


def test_show_says_that_a_file_does_not_hold_the_words_of_its_tools(
    store: Store, tmp_path: Path
) -> None:
    text = shown(store, log(0), tmp_path / "in")
    assert 'failed: unknown arguments: {"bbox_2d":[1,2,30,40]} (its file does not say' in text


def test_show_bears_whatever_a_file_says_was_sent(store: Store, tmp_path: Path) -> None:
    """Messages are kept as they are, and need not be what a server would take."""
    document = history(0, mode="delta")
    odd = [
        {"role": "user\x1b[31m", "content": [["a"], 7, "words", {"type": "audio"}]},
        {"role": "user", "content": {"a": 1}, "tool_calls": {"b": 2}},
        {"role": "user", "content": None, "tool_calls": ["c", {"function": "d"}]},
    ]
    document["conversation_history"][1]["messages"] += odd
    write(tmp_path / "in", document)
    assert import_traces(store, tmp_path / "in").imported == 1
    said = geostore("show", "--newest", "--verbose", "--store", store.path)
    assert said.returncode == 0, said.stderr
    assert "\x1b" not in said.stdout
    for part in ('["a"]', "[7]", "words", '[{"a":1}]', 'tool call {"b":2}', 'tool call "c"'):
        assert part in said.stdout


# --- round trip ---------------------------------------------------------------------------------


def test_an_export_under_the_files_rewards_goes_round(scored: Path, tmp_path: Path) -> None:
    """Imported into another store and exported again under them, it has the same bytes."""
    chosen = Filter(reward="imported")
    with Store.open(scored) as store:
        export(store, tmp_path / "first", filters=chosen)
    with Store.open(tmp_path / "other.db", create=True) as other:
        result = import_traces(other, tmp_path / "first")
        assert (result.imported, result.unproven) == (4, 0), result.unproven_why
        export(other, tmp_path / "second", filters=chosen)
    assert stats(tmp_path / "other.db", IMPORTED_REWARD.sha256).store.failures == 1
    first, second = (
        {p.relative_to(tmp_path / name): p.read_bytes() for p in (tmp_path / name).rglob("*.*")}
        for name in ("first", "second")
    )
    assert first == second


def test_a_score_without_a_distance_is_exported_as_the_filter_saw_it(
    store: Store, tmp_path: Path
) -> None:
    """Also where geostore reads no answer; and the next import has the score again."""
    unreadable = history(0, answer="Somewhere in the north.", reward_score={"score": 0.8})
    write(tmp_path / "in", unreadable)
    write(tmp_path / "in", history(1, reward_score={"score": 0.2}))
    import_traces(store, tmp_path / "in")
    chosen = Filter(reward="imported", min_score=0.5)
    assert export(store, tmp_path / "first", filters=chosen).count == 1
    [path] = (tmp_path / "first").rglob("trace_*.json")
    reward = json.loads(path.read_text(encoding="utf-8"))["reward_score"]
    assert (reward["score"], reward["parse_success"]) == (0.8, True)
    assert reward["distance@km"] is None
    with Store.open(tmp_path / "other.db", create=True) as other:
        import_traces(other, tmp_path / "first")
        assert export(other, tmp_path / "second", filters=chosen).count == 1


def test_the_files_reward_is_known_under_any_name(store: Store, tmp_path: Path) -> None:
    """Nothing computes it, so an export never asks for that."""
    write(tmp_path / "in", history(0, reward_score=None))
    import_traces(store, tmp_path / "in")
    with store.db.transaction():
        rename_spec(store.db, "imported", "old scores")
    with pytest.raises(ExportError, match=r"came with no reward of its own; choose another"):
        export(store, tmp_path / "out", filters=Filter(reward="old scores"))
