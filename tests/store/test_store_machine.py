"""Whatever two processes do to one store, in any order, it stays what a simple model says it is.

The model knows traces as plain objects and time as a number; hypothesis makes
up what happens: claims that expire, writes that are repeated, transactions that
a crash cuts, stores that are opened again, rewards that are computed late.
"""

from __future__ import annotations

import asyncio
import datetime
import sqlite3
import tempfile
from collections.abc import Awaitable, Callable
from contextlib import AbstractContextManager, closing, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from unittest import mock

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

import geostore.store.db as db_module
from geostore.answers import PARSER_VERSION
from geostore.conversation.recipe import make_recipe
from geostore.errors import GeostoreError
from geostore.generate.journal import Journal, TraceJournal
from geostore.records import Answer, Closing, FailedAttempt, PhotoFacts, Sample, Turn
from geostore.rewards import ensure_default_spec, make_spec, rescore, score_trace
from geostore.store import ClaimedTrace, Store
from tests.examples import examples
from tests.hand_made import UNEQUAL_FACTS
from tests.trace_parts import BAD_CALL, CALL, DATASET, SENT, TURN

EARLIER = Answer(3.0, 4.0, "parentheses", None, ())
START = datetime.datetime(2031, 1, 1, tzinfo=datetime.UTC)
SAMPLES = 3
SPECS = {
    "geoguessr": make_spec(),
    "linear": make_spec("linear"),
    "threshold": make_spec("threshold", {"km": "200"}),
}
CLOSINGS = (
    Closing("answered", "answer"),
    Closing("exhausted", "turn_limit"),
    Closing("exhausted", "no_answer"),
    Closing("failed", "server"),
)
Key = tuple[int, int]
TABLES = (
    "datasets",
    "samples",
    "recipes",
    "runs",
    "traces",
    "turns",
    "tool_calls",
    "attempts",
    "answers",
    "interim_answers",
    "reward_specs",
    "rewards",
    "trace_facts",
)


@dataclass
class Clock:
    """Time that passes only when a rule says so; stands for `datetime` in the store."""

    seconds: float = 0.0

    def now(self, zone: datetime.tzinfo) -> datetime.datetime:
        return START.astimezone(zone) + datetime.timedelta(seconds=self.seconds)


@dataclass
class ModelTrace:
    """What a trace is to the model."""

    trace_id: int
    status: str = "open"
    reason: str | None = None
    turn_limit: int | None = None
    owner: int | None = None
    expires: float = 0.0
    turns: list[str] = field(default_factory=list)
    calls: dict[tuple[int, int], str] = field(default_factory=dict)
    attempts: int = 0
    answer: Answer | None = None
    rewards: set[str] = field(default_factory=set)


def sample(index: int) -> Sample:
    return Sample(
        sample_index=index,
        lat=10.0 * index,
        lon=20.0 * index,
        locatability_score=None,
        country=None,
        columns={},
        photo=PhotoFacts(f"{index:064x}", 640, 480, "JPEG"),
    )


def turn(number: int, response: str, limit: int) -> Turn:
    return replace(TURN, turn=number, response=response, turn_limit=limit)


class StoreMachine(RuleBasedStateMachine):
    """Two connections to one file, each with runs of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.path = Path(self.folder.name) / "geostore.db"
        self.clock = Clock()
        self.clocks = mock.patch.object(db_module, "datetime", self.clock)
        self.clocks.start()
        self.stores = [
            Store.open(self.path, create=True, durability="normal", busy_timeout=1.0)
            for _ in range(2)
        ]
        self.traces: dict[Key, ModelTrace] = {}
        self.runs: list[list[int]] = [[], []]

    def teardown(self) -> None:
        for store in self.stores:
            store.close()
        self.clocks.stop()
        self.folder.cleanup()

    @initialize()
    def make_recipe_and_samples(self) -> None:
        with self.stores[0].db.transaction():
            dataset_id = self.stores[0].samples.put_dataset(DATASET)
            self.recipe_id = self.stores[0].recipes.put_recipe(make_recipe(model="test"))
            self.samples = [
                self.stores[0].samples.put_sample(dataset_id, sample(index)).sample_id
                for index in range(SAMPLES)
            ]
        for side in (0, 1):
            for _ in range(2):
                self._start_run(side)

    def _start_run(self, side: int) -> None:
        store = self.stores[side]
        with store.db.transaction():
            run_id = store.runs.start_run(
                arguments={}, versions={}, host=f"host-{side}", pid=1, process_started=None
            )
        self.runs[side].append(run_id)

    def _held(self, side: int) -> list[ModelTrace]:
        """Open traces whose claim a run of this side has, expired or not."""
        return [t for t in self.traces.values() if t.owner in self.runs[side]]

    def _pick(self, side: int, pick: int) -> ModelTrace | None:
        held = self._held(side)
        return held[pick % len(held)] if held else None

    # --- what processes do ---------------------------------------------------------------------

    @rule(
        side=st.integers(0, 1),
        pick=st.integers(0, 7),
        index=st.integers(0, SAMPLES - 1),
        rollout=st.integers(1, 2),
        seconds=st.sampled_from([-1.0, 10.0, 60.0]),
        limit=st.sampled_from([3, 4]),
    )
    def claim(
        self, side: int, pick: int, index: int, rollout: int, seconds: float, limit: int
    ) -> None:
        """Claimed exactly when it is open, or can be opened, and nobody holds it now."""
        run_id = self.runs[side][pick % len(self.runs[side])]
        store, key = self.stores[side], (index, rollout)
        with store.db.transaction():
            found = store.claims.claim(
                sample_id=self.samples[index],
                recipe_id=self.recipe_id,
                rollout=rollout,
                run_id=run_id,
                turn_limit=limit,
                seconds=seconds,
            )
        trace = self.traces.get(key)
        if trace is None:
            assert isinstance(found, ClaimedTrace)
            trace = self.traces[key] = ModelTrace(found.trace_id)
        if trace.reason == "turn_limit" and (trace.turn_limit or 0) < limit:
            trace.status, trace.reason, trace.turn_limit = "open", None, None
            trace.answer, trace.rewards = None, set()
        if trace.status != "open":
            assert found == "closed"
        elif trace.owner is not None and trace.expires > self.clock.seconds:
            assert found == "claimed"
        else:
            assert isinstance(found, ClaimedTrace)
            assert found.trace_id == trace.trace_id
            assert [t.response for t in found.turns] == trace.turns
            assert {(c.turn, c.call_index): c.observation for c in found.calls} == trace.calls
            trace.owner, trace.expires = run_id, self.clock.seconds + seconds

    @rule(side=st.integers(0, 1), pick=st.integers(0, 7), text=st.text(max_size=5))
    def put_turn(self, side: int, pick: int, text: str) -> None:
        trace = self._pick(side, pick)
        if trace is None:
            return
        text = text.replace("\0", "")
        with self.stores[side].db.transaction():
            self.stores[side].traces.put_turn(
                trace.trace_id,
                turn(len(trace.turns) + 1, text, 4),
                run_id=trace.owner,
                photo=SENT,
            )
        trace.turns.append(text)

    @rule(side=st.integers(0, 1), pick=st.integers(0, 7), good=st.booleans())
    def put_call(self, side: int, pick: int, good: bool) -> None:
        trace = self._pick(side, pick)
        if trace is None or not trace.turns:
            return
        number = len(trace.turns)
        index = sum(turn == number for turn, _ in trace.calls)
        observation = f"{number}/{index}"
        call = replace(
            CALL if good else BAD_CALL, turn=number, call_index=index, observation=observation
        )
        with self.stores[side].db.transaction():
            self.stores[side].traces.put_call(trace.trace_id, call)
        trace.calls[number, index] = observation

    @rule(side=st.integers(0, 1), pick=st.integers(0, 7))
    def put_attempt(self, side: int, pick: int) -> None:
        trace = self._pick(side, pick)
        if trace is None:
            return
        failure = FailedAttempt(len(trace.turns) + 1, "server", "busy", 503)
        assert trace.owner is not None
        with self.stores[side].db.transaction():
            self.stores[side].traces.put_attempt(trace.trace_id, failure, run_id=trace.owner)
        trace.attempts += 1

    @rule(
        side=st.integers(0, 1),
        pick=st.integers(0, 7),
        end=st.sampled_from(CLOSINGS),
        readable=st.booleans(),
    )
    def close_as_the_journal_does(self, side: int, pick: int, end: Closing, readable: bool) -> None:
        trace = self._pick(side, pick)
        if trace is None:
            return
        store = self.stores[side]
        answer = Answer(1.0, 2.0, "boxed", None, ()) if readable else None
        answer = answer or Answer(None, None, None, "no_coordinates", ())
        with store.db.transaction():
            store.traces.close_trace(trace.trace_id, end, turn_limit=3)
            if end.status != "failed":
                interim = [(number + 1, EARLIER) for number in range(len(trace.turns))]
                store.traces.put_answer(trace.trace_id, PARSER_VERSION, answer, interim=interim)
                reward = score_trace(store.db, trace.trace_id, ensure_default_spec(store.db))
                assert (reward.distance_km is None) == (answer.failure is not None)
        trace.status, trace.reason, trace.turn_limit = end.status, end.reason, 3
        trace.owner = None
        if end.status != "failed":
            trace.answer = answer
            trace.rewards.add("geoguessr")

    @rule(side=st.integers(0, 1), pick=st.integers(0, 7), seconds=st.sampled_from([5.0, 60.0]))
    def renew(self, side: int, pick: int, seconds: float) -> None:
        run_id = self.runs[side][pick % len(self.runs[side])]
        with self.stores[side].db.transaction():
            self.stores[side].claims.renew_claims(run_id, seconds=seconds)
        for trace in self.traces.values():
            if trace.owner == run_id:
                trace.expires = self.clock.seconds + seconds

    @rule(side=st.integers(0, 1), pick=st.integers(0, 7), end=st.booleans())
    def release(self, side: int, pick: int, end: bool) -> None:
        run_id = self.runs[side][pick % len(self.runs[side])]
        with self.stores[side].db.transaction():
            if end:
                self.stores[side].runs.end_run(run_id, "done")
            else:
                self.stores[side].claims.release_claims(run_id)
        for trace in self.traces.values():
            if trace.owner == run_id:
                trace.owner = None

    @rule(seconds=st.sampled_from([1.0, 30.0, 100.0]))
    def time_passes(self, seconds: float) -> None:
        self.clock.seconds += seconds

    @rule(side=st.integers(0, 1))
    def start_another_run(self, side: int) -> None:
        self._start_run(side)

    @rule(side=st.integers(0, 1), name=st.sampled_from(sorted(SPECS)), batch=st.integers(1, 3))
    def rescore(self, side: int, name: str, batch: int) -> None:
        """Computes what is missing and nothing else."""
        answered = [t for t in self.traces.values() if t.answer is not None]
        missing = [t for t in answered if name not in t.rewards]
        result = rescore(self.stores[side].db, SPECS[name], batch=batch)
        assert result.computed == len(missing)
        assert result.found_done == len(answered) - len(missing)
        for trace in missing:
            trace.rewards.add(name)

    # --- what befalls them ---------------------------------------------------------------------

    @rule(side=st.integers(0, 1), pick=st.integers(0, 7), index=st.integers(0, SAMPLES - 1))
    def crash_inside_a_transaction(self, side: int, pick: int, index: int) -> None:
        """A process dies with half its changes written; none of them is there."""
        store = self.stores[side]
        store.db.connection.execute("begin immediate")
        store.claims.claim(
            sample_id=self.samples[index],
            recipe_id=self.recipe_id,
            rollout=3,
            run_id=self.runs[side][0],
            turn_limit=99,
            seconds=60.0,
        )
        trace = self._pick(side, pick)
        if trace is not None:
            store.traces.put_turn(trace.trace_id, turn(len(trace.turns) + 1, "lost", 4), run_id=1)
            store.traces.close_trace(trace.trace_id, CLOSINGS[0], turn_limit=3)
        store.db.connection.close()
        self.stores[side] = Store.open(self.path, durability="normal", busy_timeout=1.0)

    @rule(side=st.integers(0, 1))
    def reopen(self, side: int) -> None:
        self.stores[side].close()
        self.stores[side] = Store.open(self.path, durability="normal", busy_timeout=1.0)

    @rule(side=st.integers(0, 1))
    def checkpoint(self, side: int) -> None:
        self.stores[side].db.connection.execute("pragma wal_checkpoint(truncate)").fetchall()

    @precondition(lambda self: any(t.turns for t in self.traces.values()))
    @rule(side=st.integers(0, 1), pick=st.integers(0, 7))
    def write_all_of_a_trace_again(self, side: int, pick: int) -> None:
        """Promise 2: with other values even; the first write stays."""
        played = [t for t in self.traces.values() if t.turns]
        trace, store = played[pick % len(played)], self.stores[side]
        before = self._dump()
        with store.db.transaction():
            store.samples.put_dataset(DATASET)
            store.recipes.put_recipe(make_recipe(model="test"))
            for index in range(SAMPLES):
                store.samples.put_sample(1, replace(sample(index), lat=0.5))
            for number in range(1, len(trace.turns) + 1):
                store.traces.put_turn(
                    trace.trace_id, turn(number, "other", 9), run_id=trace.owner or 1, photo=SENT
                )
            for number, index in trace.calls:
                other = replace(CALL, turn=number, call_index=index, observation="other")
                store.traces.put_call(trace.trace_id, other)
            if trace.status != "open":
                store.traces.close_trace(trace.trace_id, Closing("failed", "other"), turn_limit=9)
            if trace.answer is not None:
                store.traces.put_answer(
                    trace.trace_id, PARSER_VERSION, Answer(9.0, 9.0, "boxed", None, ())
                )
        assert self._dump() == before

    # --- what always holds ---------------------------------------------------------------------

    @invariant()
    def the_rows_are_the_models(self) -> None:
        with self._reader() as rows:
            found = {
                (r["sample_index"], r["rollout"]): r
                for r in rows.execute(
                    "select t.*, s.sample_index from traces as t join samples as s"
                    " on s.id = t.sample_id"
                )
            }
            assert found.keys() == self.traces.keys()
            for key, trace in self.traces.items():
                row = found[key]
                seen = tuple(row[n] for n in ("status", "stop_reason", "turn_limit", "claimed_by"))
                assert seen == (trace.status, trace.reason, trace.turn_limit, trace.owner)
                mine = (trace.trace_id,)
                turns = rows.execute(
                    "select turn, response from turns where trace_id = ? order by turn", mine
                )
                assert [tuple(r) for r in turns] == list(enumerate(trace.turns, start=1))
                attempts = rows.execute("select attempt from attempts where trace_id = ?", mine)
                assert sorted(r[0] for r in attempts) == list(range(1, trace.attempts + 1))
                rewards = rows.execute(
                    "select name, distance_km from rewards join reward_specs on id = spec_id"
                    " where trace_id = ?",
                    mine,
                ).fetchall()
                names = {"threshold(km=200)": "threshold"}
                assert {names.get(r["name"], r["name"]) for r in rewards} == trace.rewards
                for reward in rewards:
                    assert trace.answer is not None
                    assert (reward["distance_km"] is None) == (trace.answer.failure is not None)

    @invariant()
    def the_file_is_sound(self) -> None:
        nothing = (
            "select 1 from traces where status <> 'open'"
            " and (claimed_by is not null or claim_expires_at is not null)",
            "select 1 from traces where (claimed_by is null) <> (claim_expires_at is null)",
            "select 1 from turns group by trace_id having min(turn) <> 1 or max(turn) <> count(*)",
            "select 1 from tool_calls group by trace_id, turn having max(call_index) >= count(*)",
            "select 1 from answers join traces on id = trace_id where status in ('open', 'failed')",
            "select 1 from rewards join traces on id = trace_id where status in ('open', 'failed')",
            "select 1 from rewards as w left join answers as a using (trace_id, parser_version)"
            " where a.trace_id is null or (a.failure is null) <> (w.distance_km is not null)"
            " or (w.distance_km is null) <> (w.score is null)",
            "select 1 from interim_answers as i"
            " where turn >= (select max(turn) from turns where trace_id = i.trace_id)",
            "select 1 from answers as a"
            " where (select count(*) from turns where trace_id = a.trace_id) - 1 <>"
            " (select count(*) from interim_answers where trace_id = a.trace_id)"
            " and exists (select 1 from turns where trace_id = a.trace_id)",
            "select 1 from traces group by sample_id, recipe_id, rollout having count(*) > 1",
            "select 1 from (select count(*) as n from reward_specs where is_default) where n > 1",
            *UNEQUAL_FACTS,
        )
        with self._reader() as rows:
            assert rows.execute("pragma foreign_key_check").fetchall() == []
            for question in nothing:
                assert rows.execute(question).fetchall() == [], question

    def _reader(self) -> AbstractContextManager[sqlite3.Connection]:
        connection = sqlite3.connect(f"{self.path.as_uri()}?mode=ro", uri=True)
        connection.row_factory = sqlite3.Row
        return closing(connection)

    def _dump(self) -> list[tuple[object, ...]]:
        with self._reader() as rows:
            return [
                tuple(row)
                for table in TABLES
                for row in rows.execute(f"select * from {table} order by 1, 2, 3")
            ]


TestStoreMachine = StoreMachine.TestCase
TestStoreMachine.settings = settings(
    max_examples=examples(30),
    stateful_step_count=40,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)


# --- who lost its claim ------------------------------------------------------------------------


CHANGES: dict[str, Callable[[TraceJournal], Awaitable[object]]] = {
    "turn": lambda trace: trace.record_turn(turn(2, "the sleeper's", 10), None),
    "call": lambda trace: trace.record_call(CALL),
    "failure": lambda trace: trace.record_failure(FailedAttempt(1, "server", "busy", 503)),
    "close": lambda trace: trace.close(
        CLOSINGS[0], turn_limit=10, played=[replace(TURN, response="\\boxed{1, 2}")]
    ),
}


@pytest.mark.parametrize("change", sorted(CHANGES))
def test_a_run_that_lost_its_claim_changes_nothing_in_the_trace(
    tmp_path: Path, change: str
) -> None:
    """A process that slept past its claim must not write into the conversation of the next.

    Its next turn answers a request that is no longer the rows' own, and its closing would take
    the trace from the run that is at work on it.
    """
    path = tmp_path / "geostore.db"

    def take(store: Store, *, pid: int, seconds: float) -> tuple[int, int]:
        with store.db.transaction():
            run_id = store.runs.start_run(
                arguments={}, versions={}, host="h", pid=pid, process_started=None
            )
            claimed = store.claims.claim(
                sample_id=store.samples.put_sample(
                    store.samples.put_dataset(DATASET), sample(0)
                ).sample_id,
                recipe_id=store.recipes.put_recipe(make_recipe(model="test")),
                rollout=1,
                run_id=run_id,
                turn_limit=10,
                seconds=seconds,
            )
        assert isinstance(claimed, ClaimedTrace)
        return claimed.trace_id, run_id

    def state(store: Store) -> list[list[tuple[object, ...]]]:
        tables = (
            "traces",
            "turns",
            "tool_calls",
            "attempts",
            "answers",
            "interim_answers",
            "rewards",
        )
        return [
            [tuple(row) for row in store.db.connection.execute(f"select * from {table}")]
            for table in tables
        ]

    async def run() -> None:
        with Store.open(path, create=True) as mine, Store.open(path) as other:
            trace_id, slept = take(mine, pid=1, seconds=-1.0)
            _, owner = take(other, pid=2, seconds=60.0)
            with other.db.transaction():
                other.traces.put_turn(
                    trace_id, turn(1, "the owner's", 10), run_id=owner, photo=SENT
                )
            before = state(other)
            with Journal(mine) as journal:
                trace = TraceJournal(journal, trace_id=trace_id, run_id=slept)
                # Whether and how the sleeper is told is not this test's matter.
                with suppress(GeostoreError):
                    await CHANGES[change](trace)
            assert state(other) == before

    asyncio.run(run())
