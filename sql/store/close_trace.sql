-- Closes an open trace and gives back its claim.
-- Grain: at most one row. Dialect: SQLite.
update traces
set status = :status, stop_reason = :reason, turn_limit = :turn_limit, closed_at = :now,
  claimed_by = null, claim_expires_at = null
where id = :trace_id and status = 'open'
