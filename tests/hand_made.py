"""Stores whose traces are rows made by hand: for tests of what is computed from rows alone."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

from geostore.store import Store

Point = tuple[float, float]


def insert(connection: sqlite3.Connection, table: str, **values: Any) -> int:
    names = ", ".join(values)
    marks = ", ".join(f":{name}" for name in values)
    cursor = connection.execute(f"insert into {table} ({names}) values ({marks})", values)
    assert cursor.lastrowid is not None
    return cursor.lastrowid


class Traces:
    """Traces made by hand: a truth, and what versions of the parser read."""

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
            created_at="now",
            image_sha256="0" * 64,
            width=10,
            height=10,
        )
        return insert(
            self.connection,
            "traces",
            sample_id=sample_id,
            recipe_id=1,
            rollout=1,
            status=status,
            closed_at=None if status == "open" else "now",
            created_at="now",
        )

    def answer(self, trace_id: int, guess: Point | None, *, version: int = 1) -> None:
        lat, lon = guess or (None, None)
        insert(
            self.connection,
            "answers",
            trace_id=trace_id,
            parser_version=version,
            lat=lat,
            lon=lon,
            failure=None if guess else "one_number",
            created_at="now",
        )

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
        )
    return path
