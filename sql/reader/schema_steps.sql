-- The steps of the schema that the store has had, in order.
-- Grain: one row per step. Dialect: DuckDB, with the store attached.
select name
from store._sqlite_migrations
where migration_set = 'geostore'
order by rowid;
