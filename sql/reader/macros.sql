-- The functions that geostore's own views define.
-- Grain: one row per name. Dialect: DuckDB, after remember_names.
select unnest(getvariable('macros')) as name
order by 1;
