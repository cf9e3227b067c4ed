"""The session of `geostore sql`: what is run, what is refused, and what is completed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from prompt_toolkit.completion import CompleteEvent
from prompt_toolkit.document import Document

from geostore.cli.sql_prompt import SqlCompleter, history_file, holds_a_key
from geostore.query.shell import Asked, Shell, is_complete, split_statements
from geostore.store import Store


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("shell") / "geostore.db"
    Store.open(path, create=True).close()
    return path


@pytest.fixture(scope="module")
def said() -> list[str]:
    return []


@pytest.fixture(scope="module")
def shell(store: Path, said: list[str]) -> Iterator[Shell]:
    with Shell(Asked(store, format="csv", timeout=60), said.append) as opened:
        yield opened


@pytest.mark.parametrize(
    ("text", "statements", "rest"),
    [
        ("select 1; select 2", ["select 1"], "select 2"),
        ("select ';' as \";\";", ["select ';' as \";\""], ""),
        ("select $$;$$, $a$;$$;$a$;", ["select $$;$$, $a$;$$;$a$"], ""),
        ("-- a; b\nselect 1 /* ; */;", ["-- a; b\nselect 1 /* ; */"], ""),
        ("select 'it''s; '", [], "select 'it''s; '"),
        ("select $km; ;;", ["select $km"], ""),
        ("select 1 - 2 / 3;", ["select 1 - 2 / 3"], ""),
        ("select '; unclosed", [], "select '; unclosed"),
    ],
)
def test_a_semicolon_ends_a_statement_where_it_is_no_text(
    text: str, statements: list[str], rest: str
) -> None:
    assert split_statements(text) == (statements, rest)


@pytest.mark.parametrize(
    ("text", "complete"),
    [
        ("", True),
        ("  \n", True),
        ("-- why", True),
        ("select 1", False),
        ("select 1;", True),
        ("select 1; -- why", True),
        ("select 1; select", False),
        ("select ';", False),
        ("tables", True),
        ("\\d traces", True),
        ("summary", True),
        ("summary;", True),
        ("tool-lift km=50", True),
        ("help summary", True),
        ("summarize traces", False),
        ("status is", False),
        ("with a as (", False),
    ],
)
def test_a_line_is_run_at_once_and_a_statement_when_it_ends(text: str, complete: bool) -> None:
    assert is_complete(text) is complete


def test_statements_over_several_lines_and_words_between_them_are_answered(
    shell: Shell, said: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    for line in ("select 1 as a", "  , ';' as b;", "-- why", "costs", "select 2", "as a; select 3"):
        shell.feed(line)
    shell.finish()
    out = capsys.readouterr().out
    assert out.startswith("a,b\n1,;\nrecipe,model,")
    assert out.endswith("a\n2\n3\n3\n")
    assert said == []


def test_an_error_ends_a_statement_and_not_the_session(
    shell: Shell, said: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    for line in (
        "select nothing;",
        "attach 'x';",
        "sumary;",
        "costs km=1",
        "costs km='1",
        "help nothing",
        "columns trases",
        "select $a;",
        "select 1 as fine;",
    ):
        shell.feed(line)
    assert capsys.readouterr().out == "fine\n1\n"
    for words, sentence in zip(
        (
            '"nothing" was not found',
            "ATTACH may do more",
            "no query 'sumary' (did you mean summary?)",
            "no parameter km",
            "a quote is not closed",
            "no query 'nothing'",
            "did you mean traces?",
            "the statement names $a",
        ),
        said,
        strict=True,
    ):
        assert words in sentence
    said.clear()


def test_words_show_what_there_is(shell: Shell, capsys: pytest.CaptureFixture[str]) -> None:
    expected = {
        "tables": ("trace_results", "traces"),
        "\\d": ("trace_results", "traces"),
        "\\d turns": ("latency_ms", "total_tokens"),
        "columns trace_results;": ("distance_km",),
        "list": ("tool_lift", "Whether tools help"),
        "help": ("Ctrl-D", "select ...;"),
        "help tool_lift": ("Grain: ", "pairs"),
        "help turns": ("latency_ms",),
        "\\?": ("tables",),
    }
    for line, words in expected.items():
        shell.feed(line)
        out = capsys.readouterr().out
        for word in words:
            assert word in out, line


def test_a_table_whose_place_a_view_takes_has_its_columns_once(
    shell: Shell, capsys: pytest.CaptureFixture[str]
) -> None:
    shell.feed("columns answers\n")
    names = [line.split()[0] for line in capsys.readouterr().out.splitlines()[2:-1]]
    assert names[:4] == ["trace_id", "parser_version", "lat", "lon"]
    assert len(names) == len(set(names)) == 12


def test_the_session_goes_on_after_what_could_not_be_interrupted(
    store: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    said: list[str] = []
    with Shell(Asked(store, format="csv", timeout=0.5), said.append) as shell:
        shell.feed("select levenshtein(repeat('ab', 50000), repeat('ba', 50000));")
        assert "took over 0.5 s" in said[0]
        shell.feed("select 1 as a;")
    assert (said[1:], capsys.readouterr().out) == ([], "a\n1\n")


def test_a_limit_says_that_there_are_more(store: Path, capsys: pytest.CaptureFixture[str]) -> None:
    said: list[str] = []
    with Shell(Asked(store, format="jsonl", limit=2), said.append) as shell:
        shell.feed("from range(9);")
    assert capsys.readouterr().out == '{"range": 0}\n{"range": 1}\n'
    assert said == ["these are the first 2 rows; there are more (--limit)"]


@pytest.mark.parametrize(
    ("text", "some", "none"),
    [
        ("tool", {"tool_lift", "tool_failures"}, {"tool_results"}),
        ("sel", {"select"}, set()),
        ("select * from tr", {"traces", "trace_results"}, {"trace_id"}),
        ("select turns.la", {"latency_ms"}, {"lat"}),
        ("select dist", {"distance_km", "distinct"}, set()),
        ("select count(*) from turns where tot", {"total_tokens"}, set()),
        ("select * from turns where dist", {"distinct"}, {"distance_km"}),
        ("help tool_l", {"tool_lift"}, {"tool_failures"}),
        ("\\d tur", {"turns", "turn_results"}, {"turn_budget"}),
    ],
)
def test_names_are_completed_where_they_may_stand(
    shell: Shell, text: str, some: set[str], none: set[str]
) -> None:
    completions = SqlCompleter(shell).get_completions(Document(text), CompleteEvent())
    names = {completion.text for completion in completions}
    assert some <= names
    assert not none & names


@pytest.mark.parametrize(
    "statement",
    [
        "create secret (type s3, key_id 'x')",
        "select 'sk-abcdefghijklmnop'",
        "attach 'host=x password=y' as p",
        "select * from t where api_key = 'x'",
        "select 'AKIAIOSFODNN7EXAMPLE1234'",
    ],
)
def test_a_statement_that_seems_to_hold_a_key_is_not_remembered(statement: str) -> None:
    assert holds_a_key(statement)


@pytest.mark.parametrize(
    "statement",
    [
        "select sum(prompt_tokens), max_tokens from turn_results",
        f"select * from recipes where sha256 = '{'0123456789abcdef' * 4}'",
        "select mean_km_failures_20000, cost_per_accepted_trace from recipe_results",
        "select * from traces where closed_at > '2026-10-01T12:00:00Z'",
    ],
)
def test_other_statements_are_remembered(statement: str) -> None:
    assert not holds_a_key(statement)


def test_the_history_lies_in_the_users_state_folder(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    assert history_file() == tmp_path / "geostore" / "sql_history"
