-- Opens a trace again that ran out of turns, once the limit is higher, or that failed, if asked to.
-- Grain: at most one row. Dialect: SQLite.
update traces
set status = 'open', stop_reason = null, turn_limit = null, closed_at = null
where sample_id = :sample_id
  and recipe_id = :recipe_id
  and rollout = :rollout
  and (
    (status = 'exhausted' and stop_reason = 'turn_limit' and turn_limit < :turn_limit)
    or (status = 'failed' and :retry_failed)
  )
returning id
