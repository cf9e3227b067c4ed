-- Whether a run still holds a trace: it is open, and no other run has claimed it meanwhile.
-- Grain: one row. Dialect: SQLite.
select exists (
  select 1
  from traces
  where id = :trace_id and claimed_by = :run_id and status = 'open'
) as holds
