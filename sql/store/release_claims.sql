-- Gives back the traces that a run holds.
-- Grain: one row per claimed trace. Dialect: SQLite.
update traces
set claimed_by = null, claim_expires_at = null
where claimed_by = :run_id
