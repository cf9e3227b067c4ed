"""The header of a question's file: what it has to say, and what is made from it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import duckdb
import pytest

import geostore
from geostore.errors import QueryError
from geostore.query.headers import (
    Entry,
    Parameter,
    question,
    question_names,
    questions,
    read_question,
)
from geostore.query.parameters import read_parameters, values_for
from geostore.query.question_help import format_question
from geostore.query.reader import run_query
from geostore.sqlfiles import load_sql
from geostore.store import Store
from tests.running import geostore as run

HEADER = """\
-- How many answers are near?
-- Grain: one row per recipe,
-- the best first.
-- Parameters: the reward whose scores count.
--   km      number from 0, default 25: the distance within which an answer is right: in
--           km, as the crow flies
--   most    integer, no default: how many rows
--   word    text, default none: of a country
--   bounds  numbers, default 1,2.5: of bins
--   tries   integers from 1 to 9, default 1,2: how many
--   by      text: model or recipe, default model: what is compared
-- Units: km.
-- Columns: as in trace_results, but for
--   near, far  answers
--   a_name_that_is_long
--              its words
-- A failure is far.
-- Dialect: DuckDB, over the views of views.sql.
"""
STATEMENT = (
    "select $km::double as km, $most::int as most, $word::text as word,"
    " $bounds::double[] as bounds, $tries::int[] as tries, $by::text as by"
)


def test_a_header_is_read_with_all_that_it_says() -> None:
    read = read_question("near", f"{HEADER}\n{STATEMENT}\n")
    assert (read.name, read.title) == ("near", "How many answers are near?")
    assert read.grain == "one row per recipe, the best first."
    assert read.parameters_note == "the reward whose scores count."
    words = "the distance within which an answer is right: in km, as the crow flies"
    assert read.parameters == (
        Parameter("km", "number", 25.0, False, words, least=0.0),
        Parameter("most", "integer", None, True, "how many rows"),
        Parameter("word", "text", None, False, "of a country"),
        Parameter("bounds", "numbers", (1.0, 2.5), False, "of bins"),
        Parameter("tries", "integers", (1, 2), False, "how many", least=1.0, most=9.0),
        Parameter("by", "text", "model", False, "what is compared", choices=("model", "recipe")),
    )
    kinds = [parameter.kind for parameter in read.parameters]
    assert kinds == [
        "number from 0, default 25",
        "integer, no default",
        "text, default none",
        "numbers, default 1,2.5",
        "integers from 1 to 9, default 1,2",
        "text: model or recipe, default model",
    ]
    assert read.units == "km."
    assert read.columns == (
        Entry("", "as in trace_results, but for"),
        Entry("near, far", "answers"),
        Entry("a_name_that_is_long", "its words"),
        Entry("", "A failure is far."),
    )
    assert read.statement == STATEMENT


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        ("near?", "near", "the first line is no sentence"),
        ("-- Grain", "-- and more\n-- Grain", "the question is one line"),
        ("Grain: one", "One", "the question is one line"),
        ("-- Units: km.\n", "", "in this order"),
        ("Units: km.", "Units:", "Units is a text"),
        ("-- Units: km.\n-- Columns", "-- Columns: x\n-- Units: km.\n-- Columns", "stands twice"),
        ("number from 0, default 25:", "float, default 25:", "a parameter is a name, then"),
        ("number from 0, default 25:", "number:", "a parameter is a name, then"),
        ("number from 0, default 25:", "number, default near:", "km is a number"),
        ("integer, no default:", "integer, default 8.5:", "most is a whole number"),
        ("numbers, default 1,2.5:", "numbers, default 1;2.5:", "bounds is numbers"),
        (
            "number from 0, default 25:",
            "number from 26, default 25:",
            "km is at least 26, and not 25",
        ),
        (
            "number from 0, default 25:",
            "number from near, default 25:",
            "a parameter is a name, then",
        ),
        ("recipe, default model:", "recipe, default sample:", "by is model or recipe"),
        ("--   most ", "--   km   ", "a parameter stands twice"),
        ("--   near, far  answers", "--   near far answers", "nothing says what"),
        ("--   near, far  answers", "--   near far  answers", "no name of a column"),
        ("--              its words\n", "", "nothing says what a_name_that_is_long is"),
        (" as in trace_results, but for\n", "\n--       deep\n", "nothing goes on"),
        ("Dialect: DuckDB,", "Dialect: SQLite,", "the dialect is DuckDB"),
        ("-- Units", "--Units", "a line of a header is"),
        (STATEMENT, "", "no statement"),
    ],
)
def test_a_word_out_of_place_in_a_header_is_an_error(before: str, after: str, words: str) -> None:
    text = f"{HEADER}{STATEMENT}\n"
    assert before in text
    with pytest.raises(ValueError, match=words):
        read_question("near", text.replace(before, after, 1))


@pytest.mark.parametrize("name", question_names())
def test_every_question_has_a_right_header(name: str) -> None:
    """Its parameters are those of its statement, or --param would be refused or have no effect."""
    read = read_question(name, load_sql("analytics", name))
    statements = duckdb.extract_statements(read.statement)
    assert len(statements) == 1
    assert {parameter.name for parameter in read.parameters} == statements[0].named_parameters


def test_a_question_is_found_with_dashes_and_a_wrong_one_by_its_nearest() -> None:
    assert question("tool-lift").name == "tool_lift"
    with pytest.raises(QueryError, match=r"no query 'tool_left' \(did you mean tool_lift\?\)"):
        question("tool_left")


# --- values ----------------------------------------------------------------------------------

NEAR = read_question("near", f"{HEADER}{STATEMENT}\n")


def test_values_have_the_types_of_the_header_and_defaults_fill_what_is_not_given() -> None:
    read = read_parameters(NEAR, {"km": "1e2", "most": "3", "word": "12", "bounds": "1, 2"})
    assert read == {"km": 100.0, "most": 3, "word": "12", "bounds": (1.0, 2.0)}
    expected = {"km": 25.0, "most": 3, "word": None, "bounds": (1.0, 2.5), "tries": (1, 2)}
    assert values_for(NEAR, {"most": 3}) == {**expected, "by": "model"}
    assert values_for(NEAR, {"most": 3, "word": None})["word"] is None
    assert read_parameters(NEAR, {"tries": "9,1", "by": "recipe"}) == {
        "tries": (9, 1),
        "by": "recipe",
    }
    assert values_for(NEAR, {"most": 3, "km": 2, "bounds": [3]})["bounds"] == (3.0,)


@pytest.mark.parametrize(
    ("texts", "words"),
    [
        ({"mosst": "1"}, r"no parameter mosst \(did you mean most\?\); it has km, most, "),
        ({"km": "near"}, "km is a number, such as 25 or 0.5, and not 'near'"),
        ({"km": "nan"}, "km is a number"),
        ({"km": "1e999"}, "km is a finite number"),
        ({"most": "2.5"}, "most is a whole number, such as 8, and not '2.5'"),
        ({"most": str(2**63)}, "64 bits"),
        ({"bounds": "1,,2"}, "bounds is numbers with commas"),
        ({"bounds": ""}, "bounds is numbers with commas"),
        ({"bounds": "1,2,1.0"}, "bounds has 1 twice; name each number once"),
        ({"km": "-0.5"}, "km is at least 0, and not -0.5"),
        ({"tries": "1,10"}, "tries is from 1 to 9, and not 10"),
        ({"tries": "0"}, "tries is from 1 to 9, and not 0"),
        ({"tries": "1.5"}, "tries is whole numbers with commas"),
        ({"by": "recipes"}, r"by is model or recipe, and not 'recipes' \(did you mean recipe\?\)"),
    ],
)
def test_a_wrong_value_says_what_is_asked_for(texts: dict[str, str], words: str) -> None:
    with pytest.raises(QueryError, match=words):
        read_parameters(NEAR, texts)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({}, "the query near needs most; give it with --param most=VALUE"),
        ({"most": True}, "most is a whole number"),
        ({"most": 1.0}, "most is a whole number"),
        ({"most": 1, "km": "5"}, "km is a number"),
        ({"most": 1, "bounds": []}, "bounds is numbers"),
        ({"most": 1, "bounds": ["1"]}, "bounds is a number"),
        ({"most": 1, "km": float("inf")}, "km is a finite number"),
        ({"most": 1, "word": 7}, "word is text"),
        ({"most": 1, "km": -1}, "km is at least 0, and not -1"),
        ({"most": 1, "km": None}, "km is a number, such as 25 or 0.5, and not None"),
        ({"most": None}, "most is a whole number, such as 8, and not None"),
        ({"most": 1, "tries": [1, 1]}, "tries has 1 twice"),
        ({"most": 1, "tries": [1.0]}, "tries is a whole number"),
        ({"most": 1, "by": "sample"}, "by is model or recipe, and not 'sample'"),
        ({"most": 1, "near": 7}, "no parameter near"),
    ],
)
def test_a_wrong_value_from_python_is_refused(given: dict[str, object], words: str) -> None:
    with pytest.raises(QueryError, match=words):
        values_for(NEAR, given)


# --- bound -----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("headers") / "geostore.db"
    Store.open(path, create=True).close()
    return path


def test_a_users_own_statement_takes_values_and_none_becomes_text_of_it(store: Path) -> None:
    hostile = "'; drop table traces; --"
    statement = "select $a as a, $b + 1 as b, $c * 2 as c"
    given = {"a": hostile, "b": 1, "c": 0.25}
    assert run_query(store, statement, parameters=given).rows == [(hostile, 2, 0.5)]
    with geostore.open(store) as opened:
        assert opened.query(statement, given) == [{"a": hostile, "b": 2, "c": 0.5}]
        assert opened.df(statement, given).a.tolist() == [hostile]
        assert opened.arrow("select $km as km", {"km": [1, 2]}).to_pylist() == [{"km": [1, 2]}]
        with pytest.raises(QueryError, match=r"names \$km; give a value with --param km=VALUE"):
            opened.query("select $km")
    options = [f"--param=a={hostile}", "--param", "b=1", "--param", "c=.25", "--format", "csv"]
    printed = run("query", statement, *options, "--store", store)
    assert printed.stdout == f"a,b,c\n{hostile},2,0.5\n", printed.stderr


@pytest.mark.parametrize(
    ("asked", "params", "code", "words"),
    [
        ("select $near", ["nea=5"], 1, "no parameter nea (did you mean near?); it names $near"),
        ("select 1", ["km=5"], 1, "no parameter km; write $km where it stands"),
        ("select $km, $n", ["km=5"], 1, "the statement names $n; give a value with --param n="),
        ("select $km", ["km"], 2, "'km' is not name=value"),
        ("summary", ["km=5"], 1, "the query summary has no parameter km; it has none"),
    ],
)
def test_a_wrong_param_of_the_command_line_is_an_error_of_one_line(
    store: Path, asked: str, params: list[str], code: int, words: str
) -> None:
    options = [part for text in params for part in ("--param", text)]
    refused = run("query", asked, *options, "--store", store)
    assert (refused.returncode, refused.stdout) == (code, "")
    assert words in " ".join(refused.stderr.split())


@pytest.mark.parametrize("name", question_names())
def test_a_number_that_a_question_cannot_take_never_reaches_duckdb(name: str, store: Path) -> None:
    """DuckDB would name no parameter, or answer with bins of no width."""
    for parameter in question(name).parameters:
        if parameter.type == "text" or parameter.name == "min_score":
            continue
        is_list = parameter.type in ("numbers", "integers")
        for number in (-1, -(2**63)):
            given: object = [number] if is_list else number
            with pytest.raises(QueryError, match=f"{parameter.name} is .*, and not -"):
                run_query(store, name, parameters={parameter.name: given})
        assert parameter.least is not None
        for bound in (parameter.least, min(parameter.most or 2**62, 2**62)):
            given = bound if parameter.type.startswith("number") else int(bound)
            run_query(store, name, parameters={parameter.name: [given] if is_list else given})


# --- help ------------------------------------------------------------------------------------


def test_help_of_every_question_shows_its_header_in_80_columns() -> None:
    for read in questions():
        printed = format_question(read, 80)
        assert printed.startswith(f"geostore query {read.name}")
        assert max(map(len, printed.splitlines())) <= 80
        flowing = " ".join(printed.split())
        for text in (read.title, f"Grain: {read.grain}", f"Units: {read.units}"):
            assert " ".join(text.split()) in flowing
        for parameter in read.parameters:
            assert f"{parameter.name} {parameter.kind}: {parameter.words}" in flowing
        for entry in read.columns:
            assert f"{entry.names} {entry.words}".strip() in flowing


def test_help_of_a_name_is_its_questions_and_of_a_statement_the_commands() -> None:
    helped = run("query", "tool-lift", "--help", "--store", "nowhere.db", COLUMNS="80")
    assert helped.stdout == format_question(question("tool_lift"), 80) + "\n"
    refused = run("query", "sumary", "-h")
    assert refused.returncode == 1
    assert "did you mean summary?" in refused.stderr
    assert run("query", "select 1", "--help").stdout == run("query", "--help").stdout
    assert run("query", "--help").stdout.startswith("Usage:")


@pytest.mark.parametrize("arguments", [["--list"], ["tool_lift", "--help"]])
def test_lists_and_help_answer_without_duckdb(arguments: list[str]) -> None:
    """It takes longer to import than all else that they need."""
    script = (
        "import sys\n"
        "from geostore.cli import app\n"
        f"sys.argv = ['geostore', 'query', *{arguments!r}]\n"
        "try:\n    app()\n"
        "except SystemExit as ended:\n    assert not ended.code\n"
        "heavy = {'duckdb', 'numpy', 'pyarrow', 'pandas', 'sqlite3', 'datasets'}\n"
        "print('heavy:', sorted(heavy & set(sys.modules)))\n"
    )
    printed = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert "Whether tools help" in printed.stdout
    assert printed.stdout.endswith("heavy: []\n"), printed.stdout + printed.stderr
