"""Stores whose traces are rows made by hand: for tests of what is computed from rows alone."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path
from typing import Any

from geostore.answers import PARSER_VERSION
from geostore.places import GAZETTEER_VERSION
from geostore.records import FailedAttempt
from geostore.rewards import ensure_default_spec, place_trace
from geostore.store import Db, Store
from geostore.store.rows import attempt_row

Point = tuple[float, float]

UNEQUAL_FACTS = (
    "select * from trace_facts except select * from trace_facts_now where status <> 'open'",
    "select * from trace_facts_now where status <> 'open' except select * from trace_facts",
)
"""Statements that give a row where trace_facts is not what it stands for."""


def insert(connection: sqlite3.Connection, table: str, **values: Any) -> int:
    names = ", ".join(values)
    marks = ", ".join(f":{name}" for name in values)
    cursor = connection.execute(f"insert into {table} ({names}) values ({marks})", values)
    assert cursor.lastrowid is not None
    number = cursor.lastrowid
    # As the store's own functions do with whatever they write.
    if table == "sample_places":
        traces = f"select id from traces where sample_id = {values['sample_id']}"
    else:
        traces = str(number if table == "traces" else values.get("trace_id", 0))
    connection.execute(
        "insert or replace into trace_facts select * from trace_facts_now "
        f"where status <> 'open' and trace_id in ({traces})"
    )
    return number


def write_facts(connection: sqlite3.Connection) -> None:
    """Let all rows of trace_facts follow from rows that a test wrote by hand."""
    connection.execute("delete from trace_facts")
    connection.execute(
        "insert into trace_facts select * from trace_facts_now where status <> 'open'"
    )


def insert_failure(
    connection: sqlite3.Connection, *, usage: Any = None, turn: int = 1, **values: Any
) -> None:
    """A failed request. usage: the object that its reply had; None: it was not billed."""
    attempt = FailedAttempt(
        turn,
        values.pop("error_class", "bad_response"),
        "",
        usage=None if usage is None else json.dumps(usage),
    )
    insert(connection, "attempts", **{**attempt_row(attempt), "created_at": "now", **values})


class Traces:
    """Traces made by hand: a truth, and what versions of the parser read, each with its place."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.db = Store.open(path, durability="normal").db
        self.connection = self.db.connection
        self.count = 0

    def trace(self, truth: Point, *, status: str = "answered") -> int:
        self.count += 1
        sample_id = insert(
            self.connection,
            "samples",
            dataset_id=1,
            sample_index=self.count,
            lat=truth[0],
            lon=truth[1],
            columns="{}",
            image_sha256="0" * 64,
            width=10,
            height=10,
        )
        trace_id = insert(
            self.connection,
            "traces",
            sample_id=sample_id,
            recipe_id=1,
            rollout=1,
            status=status,
            closed_at=None if status == "open" else "now",
            created_at="now",
        )
        place_trace(self.db, trace_id)
        return trace_id

    def answer(self, trace_id: int, guess: Point | None, *, version: int = PARSER_VERSION) -> None:
        lat, lon = guess or (None, None)
        insert(
            self.connection,
            "answers",
            trace_id=trace_id,
            parser_version=version,
            lat=lat,
            lon=lon,
            failure=None if guess else "one_number",
        )
        place_trace(self.db, trace_id)

    def answered(self, guess: Point | None, *, truth: Point = (0.0, 0.0)) -> int:
        trace_id = self.trace(truth)
        self.answer(trace_id, guess)
        return trace_id

    def play(
        self,
        trace_id: int,
        *,
        calls: list[int] | None = None,
        tokens: int | None = None,
        response: str = "...",
    ) -> None:
        """Two turns, the calls of the first with their success, and what the second cost."""
        for turn in (1, 2):
            insert(
                self.connection,
                "turns",
                trace_id=trace_id,
                turn=turn,
                turn_limit=10,
                request_sha256="0" * 64,
                response=response if turn == 2 else "Let me look.",
                completion_tokens=tokens if turn == 2 else None,
                created_at="now",
            )
        for index, success in enumerate(calls or []):
            insert(
                self.connection,
                "tool_calls",
                trace_id=trace_id,
                turn=1,
                call_index=index,
                name="zoom",
                raw_arguments="{}",
                success=success,
                error_kind=None if success else "bad_box",
                observation="...",
                created_at="now",
            )

    def rows(self, columns: str = "*") -> list[tuple[Any, ...]]:
        found = self.connection.execute(f"select {columns} from rewards order by trace_id, spec_id")
        return [tuple(row) for row in found]


def put_places(
    traces: Traces,
    trace_id: int,
    *,
    point: bool,
    true: str,
    words: int = 0,
    version: int | None = None,
) -> None:
    """Say where a trace's truth lies, its point, and what its words name, whatever it is.

    true: c, r and t where the point lies in the true country, region and town; C, R and T where
    the words name it. words: how many of country, region and city the words state.
    """
    gazetteer = GAZETTEER_VERSION if version is None else version
    for table, key in (("sample_places", "sample_id"), ("answer_places", "trace_id")):
        traces.connection.execute(
            f"delete from {table} where {key} = ? and gazetteer_version = ?", (trace_id, gazetteer)
        )
    insert(
        traces.connection,
        "sample_places",
        sample_id=trace_id,
        gazetteer_version=gazetteer,
        country="FR",
        region="FR.11",
        city="Paris",
        city_id=2988507,
    )
    insert(
        traces.connection,
        "answer_places",
        trace_id=trace_id,
        parser_version=PARSER_VERSION,
        gazetteer_version=gazetteer,
        country=("FR" if "c" in true else "BE") if point else None,
        region=("FR.11" if "r" in true else "BE.VLG") if point else None,
        city=("Paris" if "t" in true else "Gent") if point else None,
        city_id=(2988507 if "t" in true else 2797656) if point else None,
        said_true_country=int("C" in true) if words else None,
        said_true_region=int("R" in true) if words else None,
        said_true_city=int("T" in true) if words else None,
    )
    stated = ("said_country", "said_region", "said_city")[:words]
    for column in stated:
        traces.connection.execute(
            f"update answers set {column} = 'somewhere' where trace_id = ?", (trace_id,)
        )


def make_frame(path: Path) -> Path:
    """A store with a dataset and a recipe and nothing else; to be copied, which is quick."""
    with Store.open(path, create=True) as store:
        insert(
            store.db.connection,
            "datasets",
            fingerprint="f",
            path="/photos",
            name="photos",
            num_rows=1000,
            columns="[]",
            column_map="{}",
            created_at="now",
        )
        insert(
            store.db.connection,
            "recipes",
            sha256="a" * 64,
            model="m",
            system_prompt="",
            user_prompt="",
            tools="[]",
            protocol="text",
            bbox_frame="pixel",
            limits="{}",
            temperature=0.7,
            max_tokens=100,
            extra_body="{}",
            created_at="now",
            max_calls_per_turn=3,
            max_nudges=2,
            answer_with_calls="run_calls",
            reasoning_field="auto",
        )
    return path


class Batch:
    """Puts rows into a store by hand, with distances and scores as wanted.

    Turn n of a trace has 100 n prompt tokens, 10 completion tokens, took n seconds,
    and in the second 50 prompt tokens were cached.
    """

    def __init__(self, db: Db) -> None:
        self.db = db
        self.connection = db.connection
        self.spec_id = ensure_default_spec(db)

    def dataset(self, name: str) -> int:
        """A dataset; from the second on, the names of its traces begin with its own."""
        is_first = self.connection.execute("select count(*) from datasets").fetchone()[0] == 0
        return insert(
            self.connection,
            "datasets",
            fingerprint=name,
            path=f"/{name}",
            name=name,
            label=None if is_first else name,
            num_rows=100,
            columns="[]",
            column_map="{}",
            created_at="now",
        )

    def recipe(self, sha256: str, model: str, *, tools: str) -> int:
        return insert(
            self.connection,
            "recipes",
            sha256=sha256 * 8,
            model=model,
            system_prompt="",
            user_prompt="",
            tools=tools,
            protocol="text",
            bbox_frame="pixel",
            limits="{}",
            temperature=0.7,
            max_tokens=100,
            extra_body="{}",
            max_calls_per_turn=3,
            max_nudges=2,
            answer_with_calls="run_calls",
            reasoning_field="auto",
            created_at="now",
        )

    def sample(self, index: int, locatability: float | None, *, dataset_id: int = 1) -> int:
        return insert(
            self.connection,
            "samples",
            dataset_id=dataset_id,
            sample_index=index,
            lat=10.0 + index,
            lon=20.0,
            locatability_score=locatability,
            country="france",
            columns="{}",
            image_sha256="0" * 64,
            width=10,
            height=10,
        )

    def trace(
        self,
        sample_id: int,
        recipe_id: int,
        *,
        rollout: int = 1,
        status: str = "answered",
        turns: int = 1,
        calls: str = "",
    ) -> int:
        """calls: one letter each, y for one that went well and n for one that did not."""
        trace_id = insert(
            self.connection,
            "traces",
            sample_id=sample_id,
            recipe_id=recipe_id,
            rollout=rollout,
            status=status,
            stop_reason=None if status == "open" else "because",
            closed_at=None if status == "open" else "now",
            created_at="now",
        )
        for turn in range(1, turns + 1):
            insert(
                self.connection,
                "turns",
                trace_id=trace_id,
                turn=turn,
                response=f"response {turn}",
                turn_limit=5,
                request_sha256="0" * 64,
                prompt_tokens=100 * turn,
                completion_tokens=10,
                total_tokens=100 * turn + 10,
                cached_tokens=50 if turn == 2 else None,
                latency_ms=1000 * turn,
                created_at="now",
            )
        for index, call in enumerate(calls):
            insert(
                self.connection,
                "tool_calls",
                trace_id=trace_id,
                turn=1,
                call_index=index,
                name="zoom",
                raw_arguments="{}",
                success=int(call == "y"),
                error_kind=None if call == "y" else "bad_box",
                observation="",
                created_at="now",
            )
        return trace_id

    def answer(self, trace_id: int, failure: str | None = None, *, version: int = 1) -> None:
        insert(
            self.connection,
            "answers",
            trace_id=trace_id,
            parser_version=version,
            lat=None if failure else 1.5,
            lon=None if failure else 2.5,
            failure=failure,
        )

    def reward(
        self,
        trace_id: int,
        km: float | None,
        score: float | None,
        *,
        version: int = 1,
        spec_id: int | None = None,
    ) -> None:
        insert(
            self.connection,
            "rewards",
            trace_id=trace_id,
            spec_id=spec_id or self.spec_id,
            parser_version=version,
            distance_km=km,
            score=score,
            geoguessr_points=None if score is None else round(5000 * score),
        )

    def place(
        self, sample_id: int, country: str | None, *, gazetteer: int = 1, **values: Any
    ) -> None:
        """The place of a sample; None: far out at sea."""
        insert(
            self.connection,
            "sample_places",
            sample_id=sample_id,
            gazetteer_version=gazetteer,
            country=country,
            **values,
        )

    def place_answer(
        self,
        trace_id: int,
        country: str | None,
        *,
        gazetteer: int = 1,
        version: int = 1,
        **values: Any,
    ) -> None:
        """The place of an answer; None: far out at sea, or an answer without coordinates."""
        insert(
            self.connection,
            "answer_places",
            trace_id=trace_id,
            parser_version=version,
            gazetteer_version=gazetteer,
            country=country,
            **values,
        )

    def placed(self, sample_id: int, recipe_id: int, km: float, score: float, **how: Any) -> int:
        trace_id = self.trace(sample_id, recipe_id, **how)
        self.answer(trace_id)
        self.reward(trace_id, km, score)
        return trace_id
