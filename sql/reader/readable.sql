-- The names that a statement may read from: the store's tables and views, and those of analytics.
-- Grain: one row per name. Dialect: DuckDB, with the store attached.
select table_name as name
from duckdb_tables()
where database_name = 'store'
union
select view_name
from duckdb_views()
where not internal
order by 1;
