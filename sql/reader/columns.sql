-- The tables and views that a statement may read, each with its columns.
-- Grain: one row per table and column, in their order. Dialect: DuckDB, after remember_names.
select table_name, column_name, data_type
from duckdb_columns()
where list_contains(getvariable('readable'), table_name)
order by table_name, column_index;
