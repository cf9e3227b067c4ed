-- The names that a statement may read from.
-- Grain: one row per name. Dialect: DuckDB, after remember_names.
select unnest(getvariable('readable')) as name
order by 1;
