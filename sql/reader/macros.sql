-- The functions that geostore's own views define.
-- Grain: one row per name. Dialect: DuckDB.
select distinct function_name as name
from duckdb_functions()
where not internal
order by 1;
