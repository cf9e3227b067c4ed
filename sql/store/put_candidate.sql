-- Adds a trace to those among which a rescore looks.
-- Grain: one row. Dialect: SQLite.
insert or ignore into temp.candidates (trace_id) values (:trace_id)
