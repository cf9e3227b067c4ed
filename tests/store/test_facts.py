"""Whatever is written through the store, each row of trace_facts is what the other rows give."""

from __future__ import annotations

import asyncio
import json
import sqlite3
import tempfile
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from geostore.answers import PARSER_VERSION
from geostore.conversation.recipe import make_recipe
from geostore.costs.prices import Prices
from geostore.generate.journal import Journal, TraceJournal
from geostore.importing import import_traces
from geostore.places import GAZETTEER_VERSION
from geostore.records import Answer, Closing, FailedAttempt, PhotoFacts, Sample, Turn
from geostore.rewards import make_spec, place_missing, rescore, set_default
from geostore.rewards.reparse import Parser
from geostore.rewards.selection import Selection
from geostore.store import ClaimedTrace, Store, make_filter
from geostore.store.facts import iter_unequal_facts
from geostore.store.prices import put_prices
from tests.examples import examples
from tests.hand_made import UNEQUAL_FACTS
from tests.trace_files import history, write
from tests.trace_parts import BAD_CALL, CALL, DATASET, SENT, TURN, start_run

MODELS = ("one", "two")
RESPONSES = ("\\boxed{48.9, 2.3}", "I cannot tell.", "<answer>10, 20</answer> in Paris, France")
CLOSINGS = (
    Closing("answered", "answer"),
    Closing("exhausted", "turn_limit"),
    Closing("exhausted", "no_answer"),
    Closing("failed", "server"),
)
SPECS = (make_spec(), make_spec("linear"), make_spec("weighted", {"parsed": "1", "country": "1"}))
TIERS = (None, "default", "flex", "priority")
counts = st.none() | st.integers(0, 1000)


class Killed(BaseException):
    """Stands for a process that ends in the middle of a transaction."""


def sample(index: int) -> Sample:
    return Sample(
        sample_index=index,
        lat=(48.85, 10.5, -60.0)[index],
        lon=(2.35, 20.5, -40.0)[index],
        locatability_score=(None, 0.25, 1.0)[index],
        country=("france", None, "japan")[index],
        columns={},
        photo=PhotoFacts(f"{index:064x}", 640, 480, "JPEG"),
    )


def read_with_luck(response: str, **how: bool) -> Answer:
    """What another version of the parser reads: coordinates where there were none."""
    if response == RESPONSES[1]:
        return Answer(1.5, 2.5, "pair", None, ("swapped",))
    return Answer(None, None, None, "no_coordinates", ())


class FactsMachine(RuleBasedStateMachine):
    """Plays, closes, reopens, imports, reads, places and rewards traces in any order."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.path = Path(self.folder.name) / "geostore.db"
        self.store = Store.open(self.path, create=True, durability="normal")
        self.versions = [PARSER_VERSION, GAZETTEER_VERSION]

    def teardown(self) -> None:
        self.store.close()
        self.folder.cleanup()

    @initialize()
    def begin(self) -> None:
        store = self.store
        with store.db.transaction():
            self.run_id = start_run(store)
            dataset_id = store.samples.put_dataset(DATASET)
            self.samples = [
                store.samples.put_sample(dataset_id, sample(index)).sample_id for index in range(3)
            ]
            self.recipes = [store.recipes.put_recipe(make_recipe(model=name)) for name in MODELS]

    def _claim(self, index: int, recipe: int, rollout: int) -> ClaimedTrace | None:
        with self.store.db.transaction():
            claimed = self.store.claims.claim(
                sample_id=self.samples[index],
                recipe_id=self.recipes[recipe],
                rollout=rollout,
                run_id=self.run_id,
                turn_limit=9,
                seconds=60.0,
                retry=["failed", "exhausted"],
            )
        return claimed if isinstance(claimed, ClaimedTrace) else None

    @rule(
        index=st.integers(0, 2),
        recipe=st.integers(0, 1),
        rollout=st.integers(1, 2),
        tiers=st.lists(st.sampled_from(TIERS), max_size=3),
        tokens=st.tuples(counts, counts, counts, counts),
        response=st.sampled_from(RESPONSES),
        bills=st.booleans(),
        end=st.none() | st.sampled_from(CLOSINGS),
    )
    def play(
        self,
        index: int,
        recipe: int,
        rollout: int,
        tiers: list[str | None],
        tokens: tuple[int | None, ...],
        response: str,
        bills: bool,
        end: Closing | None,
    ) -> None:
        """A trace that is new, open, or opened again; through the journal of a run."""
        claimed = self._claim(index, recipe, rollout)
        if claimed is not None:
            turns = [*claimed.turns]
            for tier in tiers:
                names = ("prompt", "completion", "total", "cached")
                more = {f"{name}_tokens": n for name, n in zip(names, tokens, strict=True)}
                turns.append(
                    replace(
                        TURN,
                        turn=len(turns) + 1,
                        response=response,
                        service_tier=tier,
                        stated_cost=None if tier is None else 0.125,
                        estimated_prompt_tokens=7 if tokens[0] is None else None,
                        **more,  # type: ignore[arg-type]
                    )
                )
            new = turns[len(claimed.turns) :]
            asyncio.run(self._record(claimed.trace_id, new, turns, bills, end))
        with self.store.db.transaction():
            self.store.claims.release_claims(self.run_id)

    async def _record(
        self, trace_id: int, new: list[Turn], turns: list[Turn], bills: bool, end: Closing | None
    ) -> None:
        with Journal(self.store) as journal:
            trace = TraceJournal(journal, trace_id=trace_id, run_id=self.run_id)
            for turn in new:
                await trace.record_turn(turn, SENT)
                for call in (CALL, BAD_CALL):
                    await trace.record_call(replace(call, turn=turn.turn))
            if bills:
                usage = {"prompt_tokens": 70, "completion_tokens": 5, "service_tier": "flex"}
                await trace.record_failure(
                    FailedAttempt(len(turns) + 1, "bad_response", "", usage=json.dumps(usage))
                )
            if end is not None and (turns or end.status == "failed"):
                played = () if end.status == "failed" else turns
                await trace.close(end, turn_limit=3, played=played)

    @rule(index=st.integers(0, 2), number=st.integers(1, 3))
    def import_a_file(self, index: int, number: int) -> None:
        """The trace of another dataset's photo, with a reward of its own."""
        folder = Path(self.folder.name) / "files"
        document = history(index, lat=10.0 + number, lon=2.0)
        write(folder, document, f"{index}_{number}.json")
        import_traces(self.store, folder, processes=1)

    @rule(
        spec=st.sampled_from(SPECS),
        batch=st.integers(1, 3),
        again=st.booleans(),
        where=st.none() | st.just("turns > 1"),
    )
    def rescore(self, spec: object, batch: int, again: bool, where: str | None) -> None:
        rescore(
            self.store.db,
            spec,  # type: ignore[arg-type]
            batch=batch,
            selection=Selection(again=again),
            filters=None if where is None else make_filter({"where": where}, statuses=None),
        )

    @rule()
    def read_with_a_newer_parser(self) -> None:
        self.versions[0] += 1
        parser = Parser(self.versions[0], read_with_luck)
        rescore(self.store.db, SPECS[0], parser=parser)

    @rule(batch=st.integers(1, 3))
    def place_with_a_newer_gazetteer(self, batch: int) -> None:
        self.versions[1] += 1
        place_missing(self.store.db, version=self.versions[1], batch=batch)

    @rule(name=st.sampled_from(["geoguessr", "linear", "imported", "threshold"]))
    def change_the_default(self, name: str) -> None:
        rows = self.store.db.execute("select name from reward_specs").fetchall()
        if name == "imported" and name not in {row[0] for row in rows}:
            return
        with self.store.db.transaction():
            set_default(self.store.db, name)

    @rule(model=st.sampled_from(MODELS), price=st.floats(0.0, 10.0))
    def price(self, model: str, price: float) -> None:
        with self.store.db.transaction():
            put_prices(self.store.db, model, Prices(price, 2 * price))

    @rule(index=st.integers(0, 2), name=st.sampled_from(["linear", "geoguessr"]))
    def be_killed_in_a_transaction(self, index: int, name: str) -> None:
        claimed = self._claim(index, 0, 9)
        store = self.store
        with pytest.raises(Killed), store.db.transaction():
            set_default(store.db, name)
            if claimed is not None:
                store.traces.close_trace(claimed.trace_id, CLOSINGS[3], turn_limit=3)
            raise Killed
        store.close()
        self.store = Store.open(self.path, durability="normal")
        with self.store.db.transaction():
            self.store.claims.release_claims(self.run_id)

    @invariant()
    def the_facts_are_what_the_rows_give(self) -> None:
        with closing(sqlite3.connect(f"{self.path.as_uri()}?mode=ro", uri=True)) as rows:
            for statement in UNEQUAL_FACTS:
                assert rows.execute(statement).fetchall() == []
        assert list(iter_unequal_facts(self.path)) == []


TestFactsMachine = FactsMachine.TestCase
TestFactsMachine.settings = settings(
    max_examples=examples(12),
    stateful_step_count=25,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)


def test_the_table_and_the_view_that_defines_it_have_the_same_columns(tmp_path: Path) -> None:
    """A row is written as the view gives it, column by column."""
    with Store.open(tmp_path / "geostore.db", create=True) as store:
        table, view = (
            [column[0] for column in store.db.execute(f"select * from {name}").description]
            for name in ("trace_facts", "trace_facts_now")
        )
    assert table == view
