"""Where answers go: formats, files, limits, and pipes that nobody reads to the end."""

from __future__ import annotations

import csv
import io
import json
import subprocess
from pathlib import Path

import pyarrow.parquet
import pytest

from geostore.errors import QueryError
from geostore.query import output
from geostore.query.output import print_answer
from geostore.store import Store
from geostore.text.row_formats import PARTS, SUFFIXES
from tests.running import command, environment, geostore


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("output") / "geostore.db"
    Store.open(path, create=True).close()
    return path


ROWS = "select * from (values (1, 0.5, 'a|b'), (2, null, 'é<i>\nx')) as t(n, share, word)"


def printed(store: Path, statement: str, capsys: pytest.CaptureFixture[str], form: str) -> str:
    print_answer(store, statement, format=form)
    return capsys.readouterr().out


def test_every_format_has_all_rows(store: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert printed(store, ROWS, capsys, "table").splitlines() == [
        "n  share  word",
        "-  -----  ------",
        "1   0.50  a|b",
        "2         é<i> x",
        "(2 rows)",
    ]
    rows = list(csv.reader(io.StringIO(printed(store, ROWS, capsys, "csv"))))
    assert rows == [["n", "share", "word"], ["1", "0.5", "a|b"], ["2", "", "é<i>\nx"]]
    objects = [
        {"n": 1, "share": 0.5, "word": "a|b"},
        {"n": 2, "share": None, "word": "é<i>\nx"},
    ]
    assert json.loads(printed(store, ROWS, capsys, "json")) == objects
    lines = printed(store, ROWS, capsys, "jsonl").splitlines()
    assert [json.loads(line) for line in lines] == objects
    assert printed(store, ROWS, capsys, "markdown").splitlines() == [
        "| n | share | word |",
        "| ---: | ---: | --- |",
        "| 1 | 0.5 | a\\|b |",
        "| 2 |  | é\\<i> x |",
    ]


def test_no_rows_are_text_of_each_format_too(
    store: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    none = "select 1 as a where false"
    texts = {form: printed(store, none, capsys, form) for form in PARTS}
    assert texts == {"csv": "a\n", "json": "[]\n", "jsonl": "", "markdown": "| a |\n| --- |\n"}


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_file_gets_the_format_of_its_suffix(
    store: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], suffix: str
) -> None:
    file = tmp_path / f"answer{suffix}"
    file.write_text("before")
    file.chmod(0o640)
    done = geostore("query", ROWS, "--output", file, "--store", store)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert [path.name for path in tmp_path.iterdir()] == [file.name]
    assert file.stat().st_mode & 0o777 == 0o640
    if suffix == ".parquet":
        table = pyarrow.parquet.read_table(file)
        assert table.to_pylist()[0] == {"n": 1, "share": pytest.approx(0.5), "word": "a|b"}
    else:
        assert file.read_text() == printed(store, ROWS, capsys, SUFFIXES[suffix])


def test_parquet_has_sums_as_whole_numbers_and_any_number_of_rows(
    store: Path, tmp_path: Path
) -> None:
    file = tmp_path / "rows.parquet"
    statement = "select range as n, sum(range) over () as total, n from range(250000)"
    written, _ = print_answer(store, statement, format="parquet", file=file)
    assert (written.rows, written.columns) == (250_000, ("n", "total", "n_1"))
    table = pyarrow.parquet.read_table(file)
    assert table.num_rows == 250_000
    assert str(table.schema.field("total").type) == "int64"
    assert table.column("total")[0].as_py() == 250_000 * 249_999 // 2
    written, _ = print_answer(store, statement, format="parquet", file=file, limit=100_001)
    assert (written.rows, written.has_more) == (100_001, True)
    assert pyarrow.parquet.read_metadata(file).num_rows == 100_001
    with pytest.raises(QueryError, match="cannot be written as parquet"):
        print_answer(
            store,
            "select 170141183460469231731687303715884105727 as n",
            format="parquet",
            file=file,
        )
    assert pyarrow.parquet.read_metadata(file).num_rows <= 100_001


def test_after_an_error_a_file_is_as_it_was(store: Path, tmp_path: Path) -> None:
    file = tmp_path / "answer.csv"
    file.write_text("before")
    # Fails when many rows are written already.
    late = "select if(range < 50000, range, error('late')) as n from range(60000)"
    with pytest.raises(QueryError, match="late"):
        print_answer(store, late, format="csv", file=file)
    assert file.read_text() == "before"
    assert list(tmp_path.iterdir()) == [file]


def test_a_link_stays_a_link_and_a_pipe_is_written_itself(store: Path, tmp_path: Path) -> None:
    file = tmp_path / "answer.csv"
    file.touch()
    link = tmp_path / "link.csv"
    link.symlink_to(file)
    print_answer(store, "select 1 as a", format="csv", file=link)
    assert link.is_symlink()
    assert file.read_text() == "a\n1\n"
    done = geostore(
        "query", "select 1 as a", "-o", "/dev/stdout", "--format", "csv", "--store", store
    )
    assert done.stdout == "a\n1\n"


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["--output", "answer"], 2, "answer does not say its format; add --format, or end it in"),
        (["--format", "parquet"], 2, "name a file with --output"),
        (["--json", "--format", "csv"], 2, "--json and --format csv are two forms"),
        (["--output", "no/answer.csv"], 1, "no/.answer.csv"),
        (["--limit", "0"], 2, "--limit"),
        (["--format", "cvs"], 2, "did you mean csv?"),
    ],
)
def test_what_cannot_be_written_says_why(
    store: Path, tmp_path: Path, arguments: list[str], code: int, words: str
) -> None:
    asked = command("query", "select 1", *arguments, "--store", store)
    refused = subprocess.run(
        asked, cwd=tmp_path, env=environment(), capture_output=True, text=True, timeout=60
    )
    assert (refused.returncode, refused.stdout) == (code, "")
    assert words in " ".join(refused.stderr.split())
    assert list(tmp_path.iterdir()) == []


def test_an_answer_never_takes_the_place_of_its_store(store: Path, tmp_path: Path) -> None:
    link = tmp_path / "answer.csv"
    link.symlink_to(store)
    with pytest.raises(QueryError, match="is the store itself"):
        print_answer(store, "select 1", format="csv", file=link)


@pytest.mark.parametrize("statement", ["from range(50000)", "show tables", "summarize turns"])
def test_a_limit_holds_for_any_statement_and_says_that_there_are_more(
    store: Path, statement: str
) -> None:
    done = geostore("query", statement, "--limit", "2", "--store", store)
    assert done.stdout.splitlines()[-1] == "(the first 2 rows; there are more)"
    assert len(done.stdout.splitlines()) == 5
    done = geostore("query", statement, "--limit", "2", "--format", "jsonl", "--store", store)
    assert len(done.stdout.splitlines()) == 2
    assert done.stderr == "these are the first 2 rows; there are more (--limit)\n"
    done = geostore("query", "from range(2)", "--limit", "2", "--json", "--store", store)
    assert len(json.loads(done.stdout)) == 2
    assert done.stderr == ""


def test_a_limit_ends_a_statement_that_would_never_end(store: Path) -> None:
    """Rows are taken as DuckDB finds them, and not when it has them all."""
    rows, _ = print_answer(store, "from range(1000000000000)", format="csv", limit=10)
    assert (rows.rows, rows.has_more) == (10, True)


def test_an_endless_answer_is_printed_as_it_comes_and_no_table(
    store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It never fills the memory: a pipe gets its first rows, and a table is refused."""
    endless = "select range, repeat('x', 1000) as text from range(1000000000000)"
    with subprocess.Popen(
        command("query", endless, "--format", "csv", "--store", store),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment(),
    ) as process:
        assert process.stdout is not None
        assert process.stdout.read(3_000).startswith(b"range,text\n0,xxxx")
        process.stdout.close()
        process.wait(timeout=60)
    monkeypatch.setattr(output, "_MOST_IN_A_TABLE", 100_000)
    with pytest.raises(QueryError, match="too many for a table in memory"):
        print_answer(store, endless, format="table")
