-- The traces that a rescore is about to compute, in a table of this connection's own.
-- Grain: one row per trace, with the parser version whose reading counts. Dialect: SQLite.
create temp table if not exists pending (
  trace_id integer primary key,
  parser_version integer not null
) strict
