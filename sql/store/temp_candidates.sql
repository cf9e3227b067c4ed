-- The traces among which a rescore looks, in a table of this connection's own.
-- Grain: one row per trace. Dialect: SQLite.
create temp table if not exists candidates (trace_id integer primary key) strict
