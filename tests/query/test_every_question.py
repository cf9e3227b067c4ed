"""What holds for every named question: intervals around shares, and alike names for parameters."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import pytest
from duckdb import DuckDBPyConnection

from geostore.query.headers import question_names, questions
from geostore.query.reader import ask, open_reader
from geostore.records import ACCEPTED_SCORE
from geostore.rewards import ensure_spec, make_spec
from geostore.store import Store
from tests.questioned import failed_answer, filling, make_store

SHARES = ("share", "acc", "rate")
"""A column with such a word in its name is a share, and has an interval."""
WITHOUT_INTERVAL = {
    # What the commands stats and status show, which have no room for more.
    *(("stats", name) for name in ("parse_success_rate", "tool_success_rate")),
    ("status", "accept_rate"),
}


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DuckDBPyConnection]:
    """A store in which every question about traces has rows."""
    path = make_store(tmp_path_factory.mktemp("store"))
    with Store.open(path) as store, store.db.transaction():
        linear = ensure_spec(store.db, make_spec("linear"))
    fill(path, linear)
    with open_reader(path) as reader:
        yield reader


def fill(path: Path, linear: int) -> None:
    dice = random.Random(13)
    with filling(path) as batch:
        other = batch.recipe("cccccccc", "n", tools="[]")
        for index in range(40):
            sample = batch.sample(index, dice.choice([None, 0.05, 0.5, 0.99]))
            batch.place(sample, dice.choice(["FR", "ES"]))
            for recipe in (1, 2, other):
                for rollout in (1, 2):
                    how = {
                        "rollout": rollout,
                        "turns": dice.randint(1, 3),
                        "calls": dice.choice(["", "y", "yn"]),
                    }
                    if dice.random() < 0.2:
                        failed_answer(batch, sample, recipe, **how)
                        continue
                    km = 10 ** dice.uniform(-1, 4)
                    trace_id = batch.placed(sample, recipe, km, dice.random(), **how)
                    batch.reward(trace_id, km, dice.random(), spec_id=linear)
                    batch.place_answer(trace_id, dice.choice(["FR", "ES"]))


@pytest.mark.parametrize("name", question_names())
def test_an_interval_holds_its_value(reader: DuckDBPyConnection, name: str) -> None:
    rows = ask(reader, name).to_dicts()
    for row in rows:
        for low in (column for column in row if column.endswith("_low")):
            column = low.removesuffix("_low")
            bounds = (row[low], row[f"{column}_high"])
            if None in bounds:
                assert bounds == (None, None)
            else:
                assert bounds[0] < bounds[1]
                assert bounds[0] <= row[column] <= bounds[1], column


@pytest.mark.parametrize("name", question_names())
def test_every_share_has_an_interval(reader: DuckDBPyConnection, name: str) -> None:
    columns = ask(reader, name).columns
    shares = {column for column in columns if any(word in column.split("_") for word in SHARES)}
    shares -= {column for column in shares if column.endswith(("_low", "_high"))}
    without = {column for column in shares if f"{column}_low" not in columns}
    assert without == {column for question, column in WITHOUT_INTERVAL if question == name}


def test_parameters_of_one_name_mean_the_same_everywhere() -> None:
    types: dict[str, set[str]] = {}
    for question in questions():
        for parameter in question.parameters:
            types.setdefault(parameter.name, set()).add(parameter.type)
            if parameter.name == "min_score":
                assert parameter.default == ACCEPTED_SCORE
    assert types.pop("km") == {"number", "numbers"}
    assert all(len(one) == 1 for one in types.values()), types
    assert {"least", "most", "bins", "min_score"} <= set(types)


def test_the_store_of_these_tests_answers_what_they_look_at(reader: DuckDBPyConnection) -> None:
    """Otherwise a question without rows would pass."""
    empty = {name for name in question_names() if not ask(reader, name).rows}
    assert empty == {
        *("answer_changes", "flagged_traces", "flags"),
        *("frame_alarm", "images_again", "imported_rewards", "spending", "status"),
        "words_against_point",
    }
