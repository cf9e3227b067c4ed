-- The functions that geostore defines itself for its views.
-- Grain: one row per name. Dialect: DuckDB.
select distinct function_name as name
from duckdb_functions()
where not internal
order by 1;
