-- Removes the readings of a response that is no longer the final one.
-- Grain: one row per parser version. Dialect: SQLite.
delete from answers where trace_id = :trace_id
