-- Forgets that a trace was audited; its flags go with that.
-- Grain: at most one row. Dialect: SQLite.
delete from audits
where trace_id = :trace_id
