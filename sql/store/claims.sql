-- Which run works on which trace: traces are made, opened again, claimed and given back.
-- Dialect: SQLite. A name in double braces stands for the part of that name.

-- part: may_go_on
-- Whether a trace that ended without an answer is opened again: it ran out of turns under a limit
-- below :turn_limit, or is of a kind in :retry. That is a JSON array of failed, truncated (by the token
-- limit), exhausted (any other end without an answer) and refused (a failed or exhausted one whose
-- last request the server refused; a trace that is exhausted and refused was refused by the teacher).
(stop_reason = 'turn_limit' and turn_limit < :turn_limit)
  or iif(status = 'failed', 'failed', iif(stop_reason = 'truncated', 'truncated', 'exhausted'))
    in (select value from json_each(:retry))
  or (
    'refused' in (select value from json_each(:retry))
    and (
      stop_reason in ('image_limit', 'context_limit', 'size_limit')
      or (status = 'failed' and stop_reason = 'refused')
    )
  )

-- name: find_holder
-- The sample that holds the traces of a row: its own, or the one for which it stands.
-- Grain: one row.
select coalesce(same_as, id) as id
from samples
where id = :sample_id;

-- name: put_trace
-- Makes a trace, open and unclaimed; one that is known stays as it is.
-- Grain: one row per sample x recipe x rollout.
insert or ignore into traces (sample_id, recipe_id, rollout, created_at)
values (:sample_id, :recipe_id, :rollout, :now);

-- name: reopen_trace
-- Opens a closed trace again: one that ran out of turns under a lower limit, or one of a kind in
-- :retry.
-- Grain: at most one row.
update traces
set status = 'open', stop_reason = null, turn_limit = null, closed_at = null
where sample_id = :sample_id
  and recipe_id = :recipe_id
  and rollout = :rollout
  and status in ('exhausted', 'failed')
  and ({{may_go_on}})
returning id;

-- name: drop_derived_rewards
-- Removes the rewards of a trace, because its last response will not be the last any more.
-- Grain: one row per spec.
delete from rewards
where trace_id = :trace_id and spec_id in (select id from reward_specs);

-- name: drop_derived_answers
-- Removes what parsers read in a trace, because its last response will not be the last any more.
-- Grain: one row per parser version.
delete from answers where trace_id = :trace_id;

-- name: claim_trace
-- Claims an open trace for a run unless another holds it; behind its id stand the columns of
-- sent_columns in their order.
-- Grain: at most one row.
update traces
set claimed_by = :run_id, claim_expires_at = :expires_at
where sample_id = :sample_id
  and recipe_id = :recipe_id
  and rollout = :rollout
  and status = 'open'
  and (claimed_by is null or claim_expires_at <= :now)
returning
  id, sent_sha256, sent_pixels_xxh128, sent_width, sent_height,
  (
    select d.label
    from samples as s
    join datasets as d on d.id = s.dataset_id
    where s.id = :sample_id
  ) as dataset_label;

-- name: limits_met
-- The limits of the server for which requests of a trace's next turn were refused.
-- Grain: one row per refusal, in order.
select error_class
from attempts
where trace_id = :trace_id
  and turn = 1 + (select count(*) from turns where trace_id = :trace_id)
  and error_class in ('image_limit', 'context_limit', 'size_limit')
order by attempt;

-- name: is_trace_open
-- Whether a trace is still open.
-- Grain: one row.
select status = 'open' as is_open
from traces
where sample_id = :sample_id and recipe_id = :recipe_id and rollout = :rollout;

-- name: holds_claim
-- Whether a run still holds a trace: it is open, and no other run has claimed it since.
-- Grain: one row.
select exists (
  select 1
  from traces
  where id = :trace_id and claimed_by = :run_id and status = 'open'
) as holds;

-- name: release_claims
-- Gives back the traces that a run holds.
-- Grain: one row per claimed trace.
update traces
set claimed_by = null, claim_expires_at = null
where claimed_by = :run_id;

-- name: renew_claims
-- Sets a later expiry for the claims of a run.
-- Grain: one row per claimed trace.
update traces
set claim_expires_at = :expires_at
where claimed_by = :run_id;

-- name: renew_valid_claims
-- Sets a later expiry for all claims that were valid at a moment, whichever run holds them.
-- Grain: one row per claimed trace.
update traces
set claim_expires_at = :expires_at
where claimed_by is not null
  and claim_expires_at > :since
  and claim_expires_at < :expires_at;
