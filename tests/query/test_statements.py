"""What a statement may be: everything that only reads the store, and nothing else."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from geostore.errors import QueryError
from geostore.query.functions import FUNCTIONS, TABLE_FUNCTIONS
from geostore.query.headers import question_names
from geostore.query.reader import ask, open_reader
from geostore.query.statements import check_reads_only
from geostore.sqlfiles import load_sql
from geostore.store import Store

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection as Reader


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store, and beside it another SQLite file and a text, which no statement may show."""
    folder = tmp_path_factory.mktemp("statements")
    Store.open(folder / "geostore.db", create=True).close()
    with closing(sqlite3.connect(folder / "other.db")) as other, other:
        other.execute("create table secrets (word)")
        other.execute("insert into secrets values ('xyzzy')")
    other.close()
    (folder / "other.csv").write_text("word\nxyzzy\n")
    return folder


@pytest.fixture(scope="module")
def reader(folder: Path) -> Iterator[Reader]:
    with open_reader(folder / "geostore.db") as opened:
        yield opened


@pytest.mark.parametrize("name", question_names())
def test_every_named_query_passes_the_check(reader: Reader, name: str) -> None:
    """So whoever copies one to change it is not refused.

    But for those that hand a part to SQLite, which adds it up without reading every row here:
    what stands in that text no check has seen.
    """
    statement = load_sql("analytics", name)
    if "sqlite_query(" in statement:
        with pytest.raises(QueryError, match=r"sqlite_query\(\) is not among"):
            check_reads_only(reader, statement)
    else:
        check_reads_only(reader, statement)


OUTSIDE = [
    # text that no check has seen
    "select * from json_execute_serialized_sql("
    "json_serialize_sql('select * from sqlite_scan(''OTHER.db'', ''secrets'')'))",
    "select * from json_execute_serialized_sql("
    '\'{"statements":[{"node":{"type":"SELECT_NODE"}}]}\')',
    "pragma json_execute_serialized_sql('PARSED')",
    "select json_deserialize_sql('{}')",
    "select json_serialize_plan('select * from read_text(''OTHER.csv'')')",
    "select * from query('select 1')",
    "select * from query_table('traces')",
    "from histogram_values(traces, id)",
    "from histogram('traces', 'id')",
    "select * from from_substrait('x'::blob)",
    "select * from python_map_function((select 1))",
    # files
    "select * from sqlite_scan('OTHER.db', 'secrets')",
    "select * from sqlite_attach('OTHER.db')",
    "select * from sqlite_query('store', 'select 1')",
    "select * from read_csv('OTHER.csv')",
    "select * from READ_CSV_AUTO('OTHER.csv')",
    "select * from main.read_text('OTHER.csv')",
    "select * from system.main.\"Read_Blob\"('OTHER.csv')",
    "select * from glob('FOLDER/*')",
    "select * from sniff_csv('OTHER.csv')",
    "select * from parquet_scan('OTHER.csv')",
    "select * from read_duckdb('OTHER.db')",
    "from 'OTHER.csv'",
    'from "OTHER.csv"',
    "describe 'OTHER.csv'",
    "summarize 'OTHER.csv'",
    "summarize from read_csv('OTHER.csv')",
    # the system and the session
    "select getenv('HOME')",
    "select current_setting('home_directory')",
    "select getvariable('reward_spec')",
    "select * from duckdb_settings()",
    "from duckdb_settings",
    "select * from duckdb_secrets()",
    "select * from duckdb_logs",
    "from pragma_database_size()",
    "from pragma_table_info('traces')",
    "pragma table_info('traces')",
    "select * from pg_catalog.pg_settings",
    "show variables",
    "select setseed(0.5)",
    "select nextval('x')",
    "select write_log('x')",
    "select * from enable_logging()",
    "select * from force_checkpoint()",
    "select sleep_ms(1)",
    "select pg_sleep(1)",
    "select * from test_all_types()",
]
PLACES = [
    "{}",
    "explain analyze {}",
    "explain (format json) {}",
    "with x as ({}) select 1",
    "select * from traces union all by name ({})",
    "select (select count(*) from ({})), exists ({})",
    "select 1 where 1 in ({})",
    "select * from traces, lateral ({}) order by 1",
    "select case when true then list_transform([({})], lambda x: x + 1) end",
    "from traces pivot (count(*) for status in ('open')) where exists ({})",
    "select * replace (({}) as id) from traces",
    "select count(*) filter (({}) > 1) over (partition by ({})) from traces",
    "with recursive r as (select 1 union all ({})) select * from r",
    "describe ({})",
    "from traces limit ({})",
]


PARSED = (
    '{"error":false,"statements":[{"node":{"type":"SELECT_NODE","modifiers":[],"cte_map":{"map":[]},'
    '"select_list":[{"class":"CONSTANT","type":"VALUE_CONSTANT","alias":"","query_location":7,'
    '"value":{"type":{"id":"INTEGER","type_info":null},"is_null":false,"value":1}}],'
    '"from_table":{"type":"EMPTY","alias":"","sample":null,"query_location":0},'
    '"where_clause":null,"group_expressions":[],"group_sets":[],'
    '"aggregate_handling":"STANDARD_HANDLING","having":null,"sample":null,"qualify":null}}]}'
)
"""What json_serialize_sql gives for ``select 1``."""


def filled(statement: str, folder: Path) -> str:
    for word, text in (("OTHER", f"{folder}/other"), ("FOLDER", str(folder)), ("PARSED", PARSED)):
        statement = statement.replace(word, text)
    return statement


@pytest.mark.parametrize("statement", OUTSIDE)
def test_what_reaches_beyond_the_store_is_refused_with_what_to_do(
    reader: Reader, folder: Path, statement: str
) -> None:
    with pytest.raises(QueryError, match=r"only reads|no table or view|cannot show") as refused:
        ask(reader, filled(statement, folder))
    assert "\n" not in str(refused.value)
    assert "; " in str(refused.value)


@pytest.mark.parametrize("place", PLACES)
def test_it_is_refused_wherever_in_a_statement_it_stands(
    reader: Reader, folder: Path, place: str
) -> None:
    """Each place is one where something harmless is answered."""
    ask(reader, place.replace("{}", "select 1 as id"))
    for source in ("sqlite_scan('OTHER.db', 'secrets')", "'OTHER.csv'", "duckdb_settings()"):
        statement = place.replace("{}", f"select count(*) from {filled(source, folder)}")
        with pytest.raises(QueryError, match=r"is not among|no table or view"):
            ask(reader, statement)
    for value in ("getenv('HOME')", "current_setting('x')", "('x').getenv()", "sum(getenv('X'))"):
        with pytest.raises(QueryError, match=r"is not among"):
            ask(reader, place.replace("{}", f"select {value}"))


@pytest.mark.parametrize(
    "statement",
    [
        "with duckdb_settings as (select * from duckdb_settings) select * from duckdb_settings",
        "with recursive duckdb_settings as ("
        "select name from duckdb_settings union all select name from duckdb_settings where false"
        ") select * from duckdb_settings",
        "select * from (with duckdb_settings as (select 1) from duckdb_settings), duckdb_settings",
        "with a as (select * from duckdb_settings), duckdb_settings as (select 1) select * from a",
        "with duckdb_settings as (select 1) select * from main.duckdb_settings",
        "select * from (with x as (select 1) from x) join duckdb_settings on true",
    ],
)
def test_a_name_of_with_hides_nothing_where_it_does_not_count(
    reader: Reader, statement: str
) -> None:
    """A system's view under the name of a subquery elsewhere is still a system's view."""
    with pytest.raises(QueryError, match="no table or view"):
        ask(reader, statement)


@pytest.mark.parametrize(
    "statement",
    [
        "with traces as (select id from traces) select count(*) from traces",
        "with a as (select 1 as x), b as (from a), c as (with a as (from b) from a) from c",
        "with recursive r as (select 1 as n union all select n + 1 from r where n < 3) from r",
        "with a as materialized (select 1) select * from a, a as b",
        "select t.* exclude (id), columns('id'), count(*) over w from store.traces t window w as "
        "(partition by t.status order by t.id rows 1 preceding) qualify rank() over w > 0",
        "select distinct on (status) status from store.main.traces order by all limit 10% offset 1",
        "select status, count(*) from traces group by grouping sets ((status), ()) having true",
        "from traces pivot (count(*) for status in ('open', 'failed'))",
        "from (select 1 as a, 2 as b) unpivot (value for name in (a, b))",
        "values (1, 'a'), (2, 'b')",
        "table traces",
        "select * from generate_series(1, 3) with ordinality, unnest([1, 2]) as u(x), range(3)",
        "select key, value from json_each('{\"a\": 1}') union by name select 1 as key",
        "select [x + 1 for x in [1, 2]], list_filter([1], lambda y: y > 0), {'a': 1}.a, map {1: 2}",
        "select 'a' like 'b', 'a' ilike 'b', 'a' similar to 'b', 'a' ~ 'b', 'a' glob 'b'",
        "select interval 3 day, extract(year from date '2026-01-02'), now() at time zone 'UTC'",
        "select trim(both 'a' from 'aba'), substring('abc' from 2 for 1), position('b' in 'abc')",
        "select quantile_cont(id, 0.5), string_agg(status, ',' order by id), "
        "percentile_cont(0.5) within group (order by id), arg_max(status, id) from traces",
        "select try_cast('x' as double), 1::decimal(10, 2), 'a' collate nocase, 7 // 2, 2 ** 3",
        "select coalesce(null, 1), nullif(1, 2), ifnull(null, 1), if(true, 1, 2), try(1 / 0)",
        "select 1 in (select 2), 1 = any (select 1), 1 between 0 and 2, not true, 1 is null",
        "select '{\"a\": 1}' ->> '$.a', '{\"a\": 1}'::json -> 'a', row(1, 2), greatest(1, 2), pi()",
        "select version(), uuid(), 5 % 2, 'a' || 'b', ('a').upper()",
        "from traces as a asof join turns as b on a.id = b.trace_id and a.id >= b.turn",
        "from traces positional join turns using sample 10 rows",
        "show all tables",
        "describe;",
        "show databases",
        "describe select 1",
        "summarize select 1 as a",
        "select column_name from information_schema.columns",
        "explain analyze with a as (select 1) from a",
    ],
)
def test_all_sorts_of_reading_is_answered(reader: Reader, statement: str) -> None:
    assert ask(reader, statement).columns


def test_macros_of_the_views_may_be_called(reader: Reader) -> None:
    """A named query that calls one can be copied and changed."""
    macros = {name for (name,) in reader.execute(load_sql("reader", "macros")).fetchall()}
    assert macros
    assert not macros & FUNCTIONS
    check_reads_only(reader, f"select {', '.join(f'{name}(1)' for name in sorted(macros))}")


def test_what_is_nested_too_deeply_is_refused_in_one_line(reader: Reader) -> None:
    """A sum is a tree as deep as it has terms."""
    assert ask(reader, "select 1" + " + 1" * 300).rows == [(301,)]
    for terms in (2_000, 50_000):  # how deep Python reads differs from one version to the next
        with pytest.raises(QueryError, match=r"nested so deeply|expression depth") as refused:
            ask(reader, "select 1" + " + 1" * terms)
        assert "\n" not in str(refused.value)


LEFT_OUT = """
arrow_scan arrow_scan_dumb can_cast_implicitly cast_to_type checkpoint col_description combine
constant_or_null create_sort_key current_catalog current_connection_id current_database
current_query current_query_id current_role current_schema current_schemas current_setting
current_transaction_id current_user currval disable_logging disable_profiling enable_logging
enable_profiling finalize force_checkpoint format_pg_type format_type get_block_size get_type
getvariable glob icu_calendar_names icu_sort_key in_search_path inet_client_addr inet_client_port
inet_server_addr inet_server_port is_histogram_other_bin json_deserialize_sql
json_execute_serialized_sql json_serialize_plan json_serialize_sql make_type map_to_pg_oid nextval
obj_description pandas_scan parse_duckdb_log_message python_map_function query query_table
remap_struct replace_type seq_scan session_user setseed shobj_description sleep_ms sniff_csv stats
summary switch test_all_types test_vector_types timetz_byte_comparable truncate_duckdb_logs
txid_current user vector_type which_secret write_log histogram histogram_values
"""
LEFT_OUT_BEGIN = (
    *("__internal_", "duckdb_", "has_", "icu_collate_", "parquet_", "pg_", "pragma_", "read_"),
    *("sqlite_", "st_", "variant_"),
)


def test_every_function_of_the_installed_duckdb_was_looked_at(reader: Reader) -> None:
    """With another DuckDB: put each new name in geostore/query/functions.py, or here."""
    rows = reader.execute(
        "select function_name, function_type in ('table', 'table_macro') from duckdb_functions() "
        "where internal and function_type <> 'pragma'"
    ).fetchall()
    left_out = set(LEFT_OUT.split())
    for name, is_table in rows:
        allowed = name.lower() in (TABLE_FUNCTIONS if is_table else FUNCTIONS)
        known = name in left_out or name.startswith(LEFT_OUT_BEGIN)
        assert allowed or known, name
    names = {name.lower() for name, _ in rows}
    assert names >= FUNCTIONS | TABLE_FUNCTIONS
