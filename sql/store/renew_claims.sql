-- Moves on the expiry of the traces that a run holds.
-- Grain: one row per claimed trace. Dialect: SQLite.
update traces
set claim_expires_at = :expires_at
where claimed_by = :run_id
