-- Keeps the ids of the chosen traces.
-- Grain: one row per trace. Dialect: DuckDB, after chosen_tables.
--   traces  a list of ids, each once
insert into chosen
select unnest($traces::bigint[])
