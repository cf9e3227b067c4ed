-- Opens a trace again that can go on: one that ran out of turns, once the limit is higher, and one
-- of a kind that :retry asks for: a JSON array of failed, truncated (by the token limit) and
-- exhausted (any other end without an answer).
-- Grain: at most one row. Dialect: SQLite.
update traces
set status = 'open', stop_reason = null, turn_limit = null, closed_at = null
where sample_id = :sample_id
  and recipe_id = :recipe_id
  and rollout = :rollout
  and status in ('exhausted', 'failed')
  and (
    (stop_reason = 'turn_limit' and turn_limit < :turn_limit)
    or iif(status = 'failed', 'failed', iif(stop_reason = 'truncated', 'truncated', 'exhausted'))
      in (select value from json_each(:retry))
  )
returning id
