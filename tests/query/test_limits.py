"""What no statement can do: take the machine, reach beyond the store, or change it."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import geostore as package
from geostore.errors import QueryError, QueryTimeoutError
from geostore.query.limits import Limits
from geostore.query.reader import ask, open_reader
from geostore.store import Store
from tests.running import command, environment, geostore

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection as Reader

ENDLESS = "select count(*) from range(1000000) a, range(1000000) b where hash(a, b) = 1"
UNINTERRUPTIBLE = "select levenshtein(repeat('ab', 200000), repeat('ba', 200000))"


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("limits") / "geostore.db"
    Store.open(path, create=True).close()
    return path


@pytest.fixture(scope="module")
def reader(store: Path) -> Iterator[Reader]:
    with open_reader(store, limits=Limits("100MB", 2)) as opened:
        yield opened


# --- time ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "statement",
    [
        ENDLESS,
        "with recursive r as (select 1 as n union all select n + 1 from r) select count(*) from r",
        "with recursive r as (select 1 as n union all select n from r) select max(n) from r",
        "from range(1000000000000)",
    ],
)
def test_a_statement_without_an_end_is_ended(reader: Reader, statement: str) -> None:
    """The reader goes on with the next one."""
    began = time.monotonic()
    with pytest.raises(QueryTimeoutError, match=r"took over 0\.2 s and was ended; ask for less"):
        ask(reader, statement, timeout=0.2)
    assert time.monotonic() - began < 30
    assert ask(reader, "select 1", timeout=60).rows == [(1,)]


@pytest.mark.parametrize(
    "statement",
    [
        "select regexp_matches(repeat('a', 100000) || 'b', '(a+)+$')",
        "select regexp_replace(repeat('a', 100000), '(a|a)*', 'b', 'g')",
        "select repeat('a', 10000) similar to '(a*)*b'",
    ],
)
def test_a_regular_expression_takes_time_as_the_text_is_long(
    reader: Reader, statement: str
) -> None:
    """Others try two to the power of its length."""
    assert len(ask(reader, statement, timeout=60).rows) == 1


def test_a_time_limit_of_the_command_line_ends_what_duckdb_cannot_interrupt(
    store: Path, tmp_path: Path
) -> None:
    done = subprocess.run(
        command("query", UNINTERRUPTIBLE, "--timeout", "1", "--store", store),
        capture_output=True,
        text=True,
        env=environment(TMPDIR=str(tmp_path)),
        timeout=60,
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("geostore: the statement took over 1 s and was ended;")
    assert list(tmp_path.iterdir()) == []


def test_a_time_limit_in_python(store: Path) -> None:
    with package.open(store) as opened:
        with pytest.raises(QueryTimeoutError):
            opened.query(ENDLESS, timeout=0.2)
        assert opened.query("select 1 as a", timeout=60) == [{"a": 1}]


# --- memory, disk and threads -----------------------------------------------------------------


def test_rows_take_no_more_memory_than_they_may(reader: Reader) -> None:
    with pytest.raises(QueryError, match=r"needs more memory .* \(--memory 4GB, or GEOSTORE_QUERY"):
        ask(reader, "select list(repeat('x', 100000)) from range(100000)")
    with pytest.raises(QueryError, match="larger than 2"):
        ask(reader, "select generate_series(1, 10000000000)")
    assert ask(reader, "select 1").rows == [(1,)]


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="only Linux bounds a process")
def test_text_of_a_function_takes_no_more_memory_than_it_may(store: Path) -> None:
    """DuckDB does not count it: ten texts of a gigabyte would take ten."""
    statement = "select sum(length(repeat('x', 1000000000 + range::int))) from range(10)"
    with subprocess.Popen(
        command("query", statement, "--store", store),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment(),
    ) as process:
        assert process.stderr is not None
        words = process.stderr.read()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 1
    assert "needs more memory than it may use" in words
    assert usage.ru_maxrss < 2_000_000, "KB"


def test_limits_are_duckdbs_settings(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = (
        "select name, value from duckdb_settings() "
        "where name in ('memory_limit', 'threads', 'max_temp_directory_size') order by name"
    )

    def of(limits: Limits | None) -> list[str]:
        with open_reader(store, limits=limits) as opened:
            return [value for _, value in opened.execute(settings).fetchall()]

    disk, memory, _ = of(None)
    assert memory == "1.3 GiB"  # 1500MB
    assert disk.endswith(" GiB")
    assert float(disk.split()[0]) < 9.4
    assert of(Limits("2GB", 1))[1:] == ["1.8 GiB", "1"]
    monkeypatch.setenv("GEOSTORE_QUERY_MEMORY", "3gb")
    monkeypatch.setenv("GEOSTORE_QUERY_THREADS", "3")
    assert of(None)[1:] == ["2.7 GiB", "3"]
    assert of(Limits("2GB", 1))[1:] == ["1.8 GiB", "1"]
    for name, value in (("MEMORY", "lots"), ("MEMORY", "0GB"), ("THREADS", "0")):
        with monkeypatch.context() as wrong:
            wrong.setenv(f"GEOSTORE_QUERY_{name}", value)
            refused = geostore("query", "select 1", "--store", store)
        assert (refused.returncode, refused.stdout) == (1, "")
        assert refused.stderr.startswith(f"geostore: '{value}' is no ")


# --- what is refused --------------------------------------------------------------------------


@pytest.mark.parametrize(
    "statement",
    [
        "attach ':memory:' as m",
        "attach if not exists 'FOLDER/geostore.db' as mine (type sqlite)",
        "use memory",
        "copy (select 1) to 'FOLDER/out.csv'",
        "copy traces from 'FOLDER/in.csv'",
        "copy from database store to memory",
        "export database 'FOLDER/out'",
        "import database 'FOLDER/out'",
        "install sqlite from community",
        "force install httpfs",
        "load 'FOLDER/x.duckdb_extension'",
        "update extensions",
        "set memory_limit = '100GB'",
        "set variable readable = ['x']",
        "reset lock_configuration",
        "pragma enable_profiling",
        "prepare p as select 1",
        "execute p",
        "deallocate p",
        "call duckdb_settings()",
        "checkpoint;",
        "force checkpoint store",
        "vacuum;",
        "analyze;",
        "begin;",
        "rollback;",
        "create macro m() as table select 1",
        "create secret (type s3)",
        "create temp view v as select 1",
        "create or replace temp macro share_low(a, b) as 1",
        "drop macro accuracy_km",
        "alter table traces add column x int",
        "truncate traces",
        "comment on table traces is 'x'",
        "merge into traces using turns on false when matched then delete",
        "select 1; select 2",
        "select 1;; attach 'x'",
        "/* select 1 */ attach 'x' -- select 1",
        "explain explain analyze copy (select 1) to 'FOLDER/out.csv'",
        "explain analyze insert into traces default values",
        "with x as (select 1) insert into traces select * from x",
        "with x as (delete from traces returning *) select * from x",
        "select * from (copy (select 1) to 'FOLDER/out.csv')",
        "select $$a$$; attach $$x$$",
        "select * from sqlite_scan($$FOLDER/other.db$$, $a$secrets$a$)",
        "from\u00a0sqlite_scan('FOLDER/other.db', 'secrets')",
        "select * from U&\"sqlite\\005fscan\"('FOLDER/other.db', 'secrets')",
        "select ſqlite_scan('x', 'y')",
        "select list_transform(['x'], lambda getenv: getenv(getenv))",
        "select list_transform(['HOME'], x -> getenv(x))",
        "select apply(['HOME'], getenv)",
        "select list_aggregate([1], 'getenv')",
        "select list_reduce(['a', 'b'], lambda a, b: current_setting(a))",
        "select which_secret('x', 's3')",
        "select * from duckdb_secrets(redact := false)",
        "select * from duckdb_temporary_files()",
        "from read_json_auto('FOLDER/x.json')",
        "from read_ndjson_objects('FOLDER/x.json')",
        "from read_parquet(['FOLDER/x.parquet'])",
        "from 'FOLDER/*.csv'",
        "from 'https://example.com/x.parquet'",
        'from "s3://x/y.parquet" select 1',
        "select (from 'FOLDER/x.csv')",
        "select 1 from traces semi join 'FOLDER/x.csv' using (id)",
        "describe table 'FOLDER/x.csv'",
        "select columns(lambda c: getenv(c) is null) from traces",
        "select * from traces where id in (from query_table(['traces']))",
        "from query('attach ''x''')",
        "values (getvariable('readable'))",
        "select * from json_execute_serialized_sql(json_serialize_sql('select 1'))",
        "select sqlite_query('store', 'select 1')",
        "from store.sqlite_query('store', 'select 1')",
        "from sqlite_attach('FOLDER/other.db')",
        "select * from sqlite_master",
        "select * from store.sqlite_master",
        "select * from sqlite_schema",
        "select * from pragma_function_list()",
        "from pg_catalog.pg_class",
        "select * from temp.information_schema.schemata",
    ],
)
def test_a_hole_is_closed(reader: Reader, store: Path, statement: str) -> None:
    """Each is refused before it runs, in one line, and leaves nothing behind."""
    before = sorted(path.name for path in store.parent.iterdir())
    with pytest.raises(QueryError) as refused:
        ask(reader, statement.replace("FOLDER", str(store.parent)), timeout=60)
    first = str(refused.value).split("\n")[0]
    assert any(
        words in first
        for words in (
            *("only reads", "is one statement", "no table or view", "is not among"),
            *("cannot show", "Parser Error: ", "Permission Error: "),
            *('column "getenv" was not found', "Aggregate Function with name getenv does not"),
        )
    ), first
    assert sorted(path.name for path in store.parent.iterdir()) == before


# --- unsafe -----------------------------------------------------------------------------------


def test_unsafe_opens_files_and_still_writes_nothing_into_the_store(
    store: Path, tmp_path: Path
) -> None:
    (tmp_path / "x.csv").write_text("word\nxyzzy\n")
    out = tmp_path / "out.parquet"

    def unsafe(statement: str, *more: str) -> subprocess.CompletedProcess[str]:
        return geostore("query", statement, "--unsafe", *more, "--store", store)

    asked = unsafe(f"select * from '{tmp_path}/x.csv'", "--format", "csv")
    assert (asked.returncode, asked.stdout) == (0, "word\nxyzzy\n")
    assert asked.stderr.startswith("unsafe: this statement may read and write files")
    assert unsafe(f"copy (select 1 as a) to '{out}'").returncode == 0
    several = f"create temp table t as from '{out}'; select a + 1 as b from t"
    assert unsafe(several, "--format", "csv").stdout == "b\n2\n"
    before = store.read_bytes()
    for statement in ("delete from traces", "create table store.t (a int)", "drop table traces"):
        refused = unsafe(statement)
        assert refused.returncode == 1
        assert "read-only" in refused.stderr
    assert store.read_bytes() == before


# --- interrupts -------------------------------------------------------------------------------


def test_ctrl_c_right_at_the_start_ends_the_command(store: Path) -> None:
    """Wherever it arrives: while modules load, while DuckDB opens the store, in the statement."""
    for seconds in (0.6, 1.2, 2.4):
        with subprocess.Popen(
            command("query", ENDLESS, "--store", store),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment(),
        ) as process:
            time.sleep(seconds)
            process.send_signal(signal.SIGINT)
            try:
                process.communicate(timeout=60)
            finally:
                process.kill()
        assert process.returncode in (130, -signal.SIGINT)
