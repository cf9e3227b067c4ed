-- The tables and views that a statement may read, each with its columns.
-- Grain: one row per table and column, in their order. Where a view of geostore's takes the place of a
-- table or a view of the file, the columns are the view's. Dialect: DuckDB, after remember_names.
select table_name, column_name, data_type
from duckdb_columns()
where list_contains(getvariable('readable'), table_name)
qualify database_name = 'temp' or not bool_or(database_name = 'temp') over (partition by table_name)
order by table_name, column_index;
