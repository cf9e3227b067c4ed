"""What watchers receive: plain values, in one order, the same for all."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, fields, is_dataclass, replace
from itertools import groupby
from pathlib import Path
from typing import Any, get_args

import pytest

from geostore.costs.budget import BudgetLimits
from geostore.errors import GeostoreError, TeacherUnusable
from geostore.generate.event_log import EventLog
from geostore.generate.events import (
    AskingEnded,
    AskingStarted,
    CallCommitted,
    Event,
    FoundDone,
    Noticed,
    Planned,
    RequestFailed,
    RunEnded,
    RunStarted,
    Ticked,
    TraceEnded,
    TurnCommitted,
    Understood,
)
from geostore.generate.plan import Plan
from geostore.generate.request import (
    DatasetChoice,
    GenerateRequest,
    TeacherChoice,
    run_generate,
)
from geostore.identity import canonical_json
from geostore.pace import PaceLimits
from geostore.store import Store
from tests.conftest import photo_bytes, save_dataset
from tests.minds import zoom_then_answer
from tests.running import AT_ONCE, Notes
from tests.teacher_server import Fault, TeacherServer, teacher_server

IN_THE_LOG = {
    RunStarted: "run_started",
    Noticed: "notice",
    Planned: "planned",
    Understood: "understood",
    TurnCommitted: "turn",
    RequestFailed: "failure",
    TraceEnded: "trace_ended",
    RunEnded: "run_ended",
}


def request_of(server: TeacherServer, dataset: Path, store: Path) -> GenerateRequest:
    return GenerateRequest(
        dataset=DatasetChoice(dataset),
        store=store,
        teacher=TeacherChoice(model="gpt-4o", base_url=server.url),
        plan=Plan(num_samples=3, pace=PaceLimits(ceiling=1), retry_policy=AT_ONCE),
    )


def lines_of(log: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in log.read_text().splitlines()]


def test_a_watcher_sees_what_the_log_says_in_the_same_order(
    photo_dataset: Path, tmp_path: Path
) -> None:
    notes, log = Notes(), tmp_path / "events.jsonl"
    fault = lambda number, body: Fault(503) if number == 0 else None  # noqa: E731
    with teacher_server(zoom_then_answer, script=fault) as server, EventLog(log) as writer:
        run_generate(request_of(server, photo_dataset, tmp_path / "s.db"), [notes, writer])
    said = [event for event in notes.events if type(event) in IN_THE_LOG]
    lines = lines_of(log)
    assert [line["event"] for line in lines] == [IN_THE_LOG[type(event)] for event in said]
    for event, line in zip(said, lines, strict=True):
        if isinstance(event, TurnCommitted):
            assert (line["trace"], line["turn"]) == (str(event.key), event.turn.turn)
        if isinstance(event, TraceEnded):
            assert event.reward is not None
            assert (line["trace"], line["score"]) == (str(event.key), event.reward.score)
        if isinstance(event, RequestFailed):
            assert line["error_class"] == event.attempt.error_class == "server"


def test_a_run_says_its_events_in_the_order_in_which_they_happen(
    photo_dataset: Path, tmp_path: Path
) -> None:
    notes = Notes()
    with teacher_server(zoom_then_answer) as server:
        request = request_of(server, photo_dataset, tmp_path / "s.db")
        run_generate(request, [notes])
        run_generate(request, [again := Notes()])
    told = [type(e) for e in notes.events if not isinstance(e, (Ticked, Noticed))]
    one_trace = [TurnCommitted, CallCommitted, TurnCommitted, TraceEnded]
    asking = [AskingStarted, Planned, Understood, *one_trace * 3, AskingEnded]
    assert told == [RunStarted, *asking, RunEnded]
    assert notes.all_of(RunStarted) == [RunStarted(os.getpid())]
    assert notes.all_of(Planned) == again.all_of(Planned) == [Planned(3)]
    assert [kind for kind, _ in groupby(type(e) for e in again.events)] == [
        *(RunStarted, AskingStarted, Planned, Understood, FoundDone, AskingEnded, RunEnded)
    ]
    assert sum(event.traces for event in again.all_of(FoundDone)) == 3
    end = notes.all_of(AskingEnded)[0].gauges
    assert (end.in_flight, end.ceiling, end.paused, end.budget) == (0, 1, None, None)


def test_the_last_gauges_hold_all_that_was_spent(photo_dataset: Path, tmp_path: Path) -> None:
    """The summary reads them, and the last tick may be half a second old."""
    notes = Notes()
    with teacher_server(zoom_then_answer) as server:
        request = request_of(server, photo_dataset, tmp_path / "s.db")
        result = run_generate(replace(request, budget=BudgetLimits(max_total_tokens=300)), [notes])
    spent = sum(event.turn.total_tokens or 0 for event in notes.all_of(TurnCommitted))
    budget = notes.all_of(AskingEnded)[0].gauges.budget
    assert budget is not None
    assert budget.spent_tokens == spent >= 300
    assert result.paused in notes.notices
    assert notes.all_of(AskingStarted)[0].gauges.budget == replace(budget, spent_tokens=0)


def test_every_event_is_a_frozen_value_that_can_be_written_as_json(
    photo_dataset: Path, tmp_path: Path
) -> None:
    """So it can be sent to a web page, or to a process on another machine."""
    notes = Notes()
    fault = lambda number, body: Fault(503, silent_seconds=0.7) if number == 0 else None  # noqa: E731
    with teacher_server(zoom_then_answer, script=fault) as server:
        request = request_of(server, photo_dataset, tmp_path / "s.db")
        run_generate(request, [notes], whole_traces=True)
        run_generate(request, [notes])
    seen = {type(event) for event in notes.events}
    assert seen == set(get_args(Event)) - {Noticed}, "each kind has happened"
    for event in notes.events:
        assert is_dataclass(event)
        assert json.loads(canonical_json(asdict(event))).keys() == {f.name for f in fields(event)}
        with pytest.raises(AttributeError):
            setattr(event, fields(event)[0].name, 1)


@pytest.mark.parametrize("whole", [True, False])
def test_whole_traces_are_sent_only_where_they_are_asked_for(
    whole: bool, photo_dataset: Path, tmp_path: Path
) -> None:
    notes = Notes()
    with teacher_server(zoom_then_answer) as server:
        request = request_of(server, photo_dataset, tmp_path / "s.db")
        run_generate(request, [notes], whole_traces=whole)
    for end in notes.all_of(TraceEnded):
        assert (end.trace is not None) == whole
        if end.trace is not None:
            assert (end.trace.key, end.trace.status, len(end.trace.turns)) == (
                end.key,
                "answered",
                2,
            )


def test_names_in_the_log_find_their_traces_when_the_store_has_several_datasets(
    photo_dataset: Path, tmp_path: Path
) -> None:
    """Both datasets have the same rows, asked with one recipe."""
    log, path = tmp_path / "events.jsonl", tmp_path / "s.db"
    other = save_dataset(tmp_path / "streets", [photo_bytes(seed) for seed in range(20, 28)])
    with teacher_server(zoom_then_answer) as server, EventLog(log) as writer:
        for dataset in (photo_dataset, other):
            run_generate(request_of(server, dataset, path), [writer])
    named = [line["trace"] for line in lines_of(log) if line["event"] == "trace_ended"]
    with Store.open(path) as store:
        traces = [store.traces.get_trace(store.traces.find_trace(name)) for name in named]
    assert len(set(named)) == len(named) == len({(t.dataset.path, t.key) for t in traces})
    half = len(named) // 2
    assert {trace.dataset.path for trace in traces[:half]} == {str(photo_dataset)}
    assert {trace.dataset.path for trace in traces[half:]} == {str(other)}


def test_the_log_says_which_error_ended_a_run_wherever_it_was(
    photo_dataset: Path, tmp_path: Path
) -> None:
    log = tmp_path / "events.jsonl"
    refuse = lambda number, body: Fault(401, b'{"error": {"message": "who?"}}')  # noqa: E731
    with EventLog(log) as writer:
        with teacher_server(zoom_then_answer, script=refuse) as server:
            request = request_of(server, photo_dataset, tmp_path / "s.db")
            with pytest.raises(TeacherUnusable):
                run_generate(request, [writer])
        with pytest.raises(GeostoreError):
            run_generate(request_of(server, tmp_path / "none", tmp_path / "t.db"), [writer])
    first, second = [line for line in lines_of(log) if line["event"] == "run_ended"]
    assert (first["error"], second["error"]) == ("TeacherUnusable", "DatasetError")
    assert "who?" in first["message"]
    assert [line["event"] for line in lines_of(log)[-2:]] == ["run_started", "run_ended"]
