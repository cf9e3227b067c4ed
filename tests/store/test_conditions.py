"""A condition of a user's: one SQL expression that only reads, wherever it is put."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import event, example, given, settings
from hypothesis import strategies as st

from geostore.errors import FilterError
from geostore.store import Db
from geostore.store.conditions import check_condition, check_tokens
from tests.examples import examples

COLUMNS = ("id", "shown", "score", "country")
ROWS = [
    (1, 1, 0.1, "japan"),
    (2, 1, 3.0, "kenya"),
    (3, 1, None, "peru (south)"),
    (4, 0, 5.0, "it's"),
    (5, 0, None, None),
]


@pytest.fixture(scope="module")
def connection() -> Iterator[sqlite3.Connection]:
    made = sqlite3.connect(":memory:")
    made.execute("create table t (id integer primary key, shown, score, country)")
    made.execute("create table secrets (key)")
    made.executemany("insert into t values (?, ?, ?, ?)", ROWS)
    made.execute("create temp view trace_results as select * from t")
    made.commit()
    yield made
    made.close()


def check(connection: sqlite3.Connection, condition: str) -> None:
    check_condition(Db(Path(":memory:"), connection), condition, COLUMNS)


@pytest.mark.parametrize(
    "condition",
    [
        "score > 2",
        "(score > 2) or (true)",
        "country = 'it''s'",
        "country = ') or (true'",
        "country = 'a -- b' -- and a comment",
        "country like '%(%' /* and ) one */",
        '"score" > 2 and [score] < 9 and `score` > 0',
        "case when score > 2 then country = 'kenya' else false end",
        "id in (select id from t where score is null)",
        "country in ('japan', 'peru')",
        "coalesce(score, 0) > 0.05\nand true",
        "score->>'$' > 1",
        "country = 'a;b:c?d@e'",
        "2 - -1 > score / 1 * 2",
    ],
)
def test_an_expression_is_taken_as_it_is(connection: sqlite3.Connection, condition: str) -> None:
    check(connection, condition)


@pytest.mark.parametrize(
    ("condition", "words"),
    [
        ("score > 2) or (true", "closes a parenthesis"),
        ("score > 2) or (true --", "closes a parenthesis"),
        ("(score > 2", "not closed"),
        ("score > 2 /* and", "not closed"),
        ("country = 'japan", "not closed"),
        ('country = "japan', "not closed"),
        ("[score > 2", "not closed"),
        ("score > 2; delete from t", "semicolon"),
        ("score > 2\0", "semicolon"),
        ("shown = :shown", "parameter"),
        ("shown = ?", "parameter"),
        ("shown = $1", "parameter"),
        ("", "the condition is empty"),
        ("-- nothing", "syntax error"),
        ("score > 2, true", "cannot be used"),
        ("score > 2 as y", "syntax error"),
        ("select true", "syntax error"),
        ("score > 2 from t", "syntax error"),
        ("1 then 2 when 3", "syntax error"),
        ("count(*) > 1", "aggregate"),
        ("row_number() over () = 1", "window"),
        ("scor > 2", r"no such column: scor \(did you mean score\?\)"),
        ("trace_results.cuontry = 'x'", "no such column: trace_results.cuontry"),
        ("load_extension('x') is null", "cannot be used"),
        ("exists (select 1 from pragma_database_list)", "cannot be used"),
        ("country = '\ud800'", "cannot be used"),
    ],
)
def test_anything_else_is_refused_with_the_reason(
    connection: sqlite3.Connection, condition: str, words: str
) -> None:
    with pytest.raises(FilterError, match=words):
        check(connection, condition)


def test_a_connection_that_checked_a_condition_can_write_again(
    connection: sqlite3.Connection,
) -> None:
    """What forbids writing is there for the check alone, also where that fails."""
    for condition in ("true", "nothing"):
        try:
            check(connection, condition)
        except FilterError:
            assert condition == "nothing"
        connection.execute("insert into secrets values (1)")
        connection.rollback()


PIECES = [
    *("score", "id", "shown", "country", "2", "0.5", "null", "true", "'a'", "'it''s'", "x'00'"),
    *(">", "=", "-", "/", "*", "||", "->", ",", ".", "or", "and", "not", "in", "is", "like"),
    *("(", ")", "(", ")", "'", '"', "`", "[", "]", "--", "/*", "*/", "\n", ";", "\0", "\\"),
    *("case", "when", "then", "else", "end", "select", "from t", "where", "union", "limit 1"),
    *("order by 1", "group by id", "having", "exists", "values (1)", "as y", "count(*)", "abs"),
    *(":shown", "?", "?1", "@x", "$x", "a$b", "#", "é", "collate nocase", "between", "escape"),
]
EXPRESSIONS = st.recursive(
    st.sampled_from(["score", "id", "country", "2", "'a)'", "null", '"id"', "[id]", "/* ( */ 1"]),
    lambda inner: st.one_of(
        st.builds("({} or {})".format, inner, inner),
        st.builds("{} = {}".format, inner, inner),
        st.builds("not {}".format, inner),
        st.builds("case when {} then {} end".format, inner, inner),
        st.builds("{} in ({}, {})".format, inner, inner, inner),
        st.builds("exists (select 1 from t as o where {})".format, inner),
    ),
    max_leaves=6,
)
TEXTS = st.builds(
    str.join,
    st.sampled_from([" ", "", "\n"]),
    st.lists(st.one_of(EXPRESSIONS, st.sampled_from(PIECES)), min_size=1, max_size=7),
)


@settings(max_examples=examples(150))
@given(TEXTS)
@example("score > 2")
@example("score > 2) or (true")
@example("score > 2) or true --")
@example("score > 2) or true /*")
@example("true) union select id, key from secrets where (true")
def test_no_condition_that_is_taken_changes_the_statement_around_it(
    connection: sqlite3.Connection, condition: str
) -> None:
    """Whatever text is taken, it decides about a row alone and cannot undo another condition."""
    try:
        check(connection, condition)
    except FilterError:
        event("refused")
        return
    event("taken")
    around = f"select id, 'end' from t where shown = 1 and (\n{condition}\n) and id < 3 order by id"
    alone = f"select id, iif((\n{condition}\n), 1, 0) from t where id = ?"
    # It can fail on a row, as like does with an escape that is not one character.
    with suppress(sqlite3.OperationalError):
        each = [connection.execute(alone, [id]).fetchall() for id in (1, 2)]
        assert [[id for id, _ in rows] for rows in each] == [[1], [2]]
        kept = [(id, "end") for rows in each for id, holds in rows if holds]
        assert connection.execute(around).fetchall() == kept


@settings(max_examples=examples(150))
@given(st.text(alphabet="()'\"`[]-/*\n;:? a", max_size=30))
@example("/*/")
@example("/**/")
@example("a'b''")
def test_the_tokens_that_a_condition_opens_are_closed_for_sqlite_too(
    connection: sqlite3.Connection, text: str
) -> None:
    """Read otherwise than SQLite reads it, a text could take in the parenthesis after it."""
    try:
        check_tokens(text)
    except FilterError:
        return
    said = ""
    try:
        connection.execute(f"explain select (\n{text}\n) from t")
    except sqlite3.OperationalError as error:
        said = str(error)
    assert "incomplete" not in said
    assert "unrecognized token" not in said or "'" not in said
