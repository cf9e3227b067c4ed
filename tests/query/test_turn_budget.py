"""The questions of fewer turns and of refusals, over rows whose answers are computed by hand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from geostore.answers import parse_answer
from geostore.query.reader import run_query
from geostore.store import Store
from geostore.store.rows import answer_row
from tests.hand_made import Batch, insert, write_facts
from tests.minds import ZOOM, answer, text_call, turns_so_far
from tests.questioned import wilson
from tests.running import run
from tests.teacher_server import Body, Reply, teacher_server

TRUTH = (10.0, 20.0)  # of the sample with index 0; each further one lies 1 degree north
EAST = 1.0  # a degree of latitude is 111.195 km, which is 4641 points


class Turns(Batch):
    """Traces with what each turn says: a latitude that many degrees off, or None."""

    def played(
        self, index: int, said: list[float | None], *, version: int = 4, status: str = "answered"
    ) -> int:
        trace_id = self.trace(self.sample(index, 0.5), 1, turns=len(said), status=status)
        if status != "failed" and status != "open":
            self.read(trace_id, said, index=index, version=version)
        return trace_id

    def read(self, trace_id: int, said: list[float | None], *, index: int, version: int) -> None:
        places = [None if off is None else (TRUTH[0] + index + off, TRUTH[1]) for off in said]
        final = places[-1]
        insert(
            self.connection,
            "answers",
            trace_id=trace_id,
            parser_version=version,
            lat=final and final[0],
            lon=final and final[1],
            form="boxed",
            failure=None if final else "no_coordinates",
        )
        for turn, place in enumerate(places[:-1], start=1):
            if place is not None:
                insert(
                    self.connection,
                    "interim_answers",
                    trace_id=trace_id,
                    turn=turn,
                    parser_version=version,
                    lat=place[0],
                    lon=place[1],
                    form="boxed",
                )


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "geostore.db"
    with Store.open(path, create=True) as store, store.db.transaction():
        batch = Batch(store.db)
        batch.dataset("photos")
        batch.recipe("aaaaaaaa", "m", tools='[{"name":"zoom"}]')
    return path


def objects(path: Path, name: str) -> list[dict[str, Any]]:
    return run_query(path, name).to_dicts()


def test_each_number_of_turns_counts_what_was_stated_last_by_then(path: Path) -> None:
    """One that ended earlier counts with its final answer, and one without a place as a miss."""
    with Store.open(path) as store, store.db.transaction():
        batch = Turns(store.db)
        batch.played(0, [None, 1.0, None, 0.1])  # no place, 1 degree off, the same, 0.1 off
        batch.played(1, [1.0])  # ends at once, 1 degree off
        batch.played(2, [0.0, None])  # says it, and takes it back
        batch.played(3, [0.0, 0.0], status="failed")  # never read
        batch.played(4, [0.0], status="open")
    rows = objects(path, "turn_budget")
    names = ("stopped_after", "traces", "going_on", "answered")
    assert [tuple(row[name] for name in names) for row in rows] == [
        (1, 4, 3, 2),
        (2, 4, 1, 2),
        (3, 4, 1, 2),
        (4, 4, 0, 2),
    ]
    assert {(row["recipe"], row["model"]) for row in rows} == {("aaaaaaaa", "m")}
    # After 1: none, 111, 0, none. After 2 and 3: 111, 111, none, none. After 4: 11, 111.
    assert [row["acc_25_km"] for row in rows] == [0.25, 0, 0, 0.25]
    assert [row["acc_200_km"] for row in rows] == [0.5, 0.5, 0.5, 0.5]
    assert [row["acc_750_km"] for row in rows] == [0.5, 0.5, 0.5, 0.5]
    assert [row["answered_acc_25_km"] for row in rows] == [0.5, 0, 0, 0.5]
    assert [row["answered_acc_200_km"] for row in rows] == [1, 1, 1, 1]
    first = rows[0]
    interval = (first["acc_25_km_low"], first["acc_25_km_high"])
    assert interval == pytest.approx(wilson(1, 4))
    interval = (first["answered_acc_25_km_low"], first["answered_acc_25_km_high"])
    assert interval == pytest.approx(wilson(1, 2))
    medians = [row["median_km"] for row in rows]
    assert medians == pytest.approx([111.195 / 2, 111.195, 111.195, 61.157], abs=0.001)
    missed = [row["median_km_failures_20000"] for row in rows]
    assert missed == pytest.approx([(20000 + 111.195) / 2] * 4, abs=0.001)
    points = [row["answered_mean_geoguessr_points"] for row in rows]
    assert points == [(5000 + 4641) / 2, 4641, 4641, (4963 + 4641) / 2]
    assert [row["mean_geoguessr_points"] for row in rows] == [each / 2 for each in points]
    # Turn n has 100 n + 10 tokens: of 4, 3, 1 and 1 closed traces.
    assert [row["tokens"] for row in rows] == [440, 440 + 630, 1070 + 310, 1380 + 410]
    assert [row["tokens_per_trace"] for row in rows] == [110, 267.5, 345, 447.5]
    assert [row["uncounted_turns"] for row in rows] == [0, 0, 0, 0]


def test_only_the_newest_reading_of_a_trace_counts(path: Path) -> None:
    """A newer parser may see no place where an older one saw one."""
    with Store.open(path) as store, store.db.transaction():
        batch = Turns(store.db)
        trace_id = batch.played(0, [0.0, 0.0], version=4)
        batch.read(trace_id, [None, 1.0], index=0, version=5)
        batch.connection.execute("update turns set total_tokens = null where turn = 2")
    one, two = objects(path, "turn_budget")
    assert (one["answered"], one["median_km"], one["tokens"]) == (0, None, 110)
    assert (two["answered"], two["tokens"], two["uncounted_turns"]) == (1, 110, 1)
    assert two["median_km"] == pytest.approx(111.195, abs=0.001)


def test_a_store_without_closed_traces_has_no_turn_budget(path: Path) -> None:
    assert objects(path, "turn_budget") == []
    assert objects(path, "refusals") == []


@pytest.mark.parametrize("protocol", ["text", "native"])
def test_the_budget_of_a_real_run_follows_its_turns(
    photo_dataset: Path, tmp_path: Path, protocol: str
) -> None:
    """With calls in the text and by the API alike."""

    def mind(body: Body) -> Reply:
        guess = ["A street.", "Perhaps \\boxed{1, 2}.", answer(3, 4)][min(turns_so_far(body), 2)]
        if turns_so_far(body) == 2:
            return Reply(guess)
        if "tools" not in body:
            return Reply(f"{guess}\n{text_call(ZOOM, {'bbox_2d': [0, 0, 500, 500]})}")
        function = {"name": ZOOM, "arguments": '{"bbox_2d": [0, 0, 500, 500]}'}
        call = {"id": "c", "type": "function", "function": function}
        return Reply(guess, finish_reason="tool_calls", tool_calls=[call])

    store = tmp_path / "geostore.db"
    with teacher_server(mind) as server:
        run(server.url, photo_dataset, store, num_samples=3, recipe={"protocol": protocol})
    rows = objects(store, "turn_budget")
    names = ("stopped_after", "traces", "going_on", "answered")
    assert [tuple(row[name] for name in names) for row in rows] == [
        (1, 3, 3, 0),
        (2, 3, 3, 3),
        (3, 3, 0, 3),
    ]
    (total,) = run_query(store, "select sum(total_tokens) as t from turns").to_dicts()
    assert rows[-1]["tokens"] == total["t"]
    (final,) = run_query(store, "select median(distance_km) as km from trace_results").to_dicts()
    assert rows[-1]["median_km"] == pytest.approx(final["km"], abs=1e-6)


def test_each_closed_trace_is_in_one_column_of_refusals(path: Path) -> None:
    ends = [
        ("answered", "answer", "I can't be sure, but \\boxed{1, 2}", {}),
        ("exhausted", "no_answer", "<think>hm</think>I'm sorry, but I can't help with that.", {}),
        ("exhausted", "refused", "No.", {"refused": True}),
        ("exhausted", "content_filter", "I can't determine the location", {}),
        ("exhausted", "no_answer", "A street with trees.", {}),
        ("failed", "refused", None, {}),
        ("failed", "server", None, {}),
        ("open", None, "I can't determine the location.", {}),
    ]
    with Store.open(path) as store, store.db.transaction():
        batch = Batch(store.db)
        batch.recipe("bbbbbbbb", "other", tools="[]")
        for index, (status, reason, response, how) in enumerate(ends):
            trace_id = batch.trace(
                batch.sample(index, 0.5), 1, status=status, turns=0 if response is None else 1
            )
            execute = batch.connection.execute
            execute("update traces set stop_reason = ? where id = ?", (reason, trace_id))
            if response is None:
                continue
            execute("update turns set response = ? where trace_id = ?", (response, trace_id))
            if status != "open":
                read = answer_row(parse_answer(response, **how))
                insert(batch.connection, "answers", **read, trace_id=trace_id, parser_version=4)
        batch.trace(batch.sample(20, 0.5), 2, status="failed", turns=0)
        write_facts(batch.connection)
    refusing, other = objects(path, "refusals")
    assert refusing == {
        "recipe": "aaaaaaaa",
        "model": "m",
        "traces": 7,
        "answered": 1,
        "refused_in_words": 1,
        "refused_by_reply": 1,
        "content_filter": 1,
        "server_refused": 1,
        "other": 2,
        "responses": 5,
        "refused_share": 2 / 5,
        "refused_share_low": pytest.approx(wilson(2, 5)[0]),
        "refused_share_high": pytest.approx(wilson(2, 5)[1]),
        "example": "1-aaaaaaaa-1",
        "words": "I'm sorry, but I can't help with that.",
    }
    assert (other["recipe"], other["refused_share"], other["example"]) == ("bbbbbbbb", None, None)
