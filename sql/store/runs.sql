-- Generate processes, and what a model costs and has used.
-- Dialect: SQLite. A name in double braces stands for the part of that name.

-- name: start_run
-- Records that a generate process started.
-- Grain: one row per process.
insert into runs (arguments, versions, host, pid, process_started, started_at)
values (:arguments, :versions, :host, :pid, :process_started, :now)
returning id;

-- name: end_run
-- Records how a generate process ended.
-- Grain: one row.
update runs
set ended_at = :now, outcome = :outcome
where id = :run_id and ended_at is null;

-- name: claiming_runs
-- The runs that hold claims: they are still going, or their process was killed.
-- Grain: one row per run. claim_until: when the last of its claims expires.
select r.id, r.host, r.pid, r.process_started, max(t.claim_expires_at) as claim_until
from traces as t
join runs as r on r.id = t.claimed_by
where t.claimed_by is not null
group by r.id
order by r.id;

-- name: newest_turns
-- All turns with the model that was asked, the newest first: a reader stops where they are too old.
-- Grain: one row per turn. run_id: null for an imported one. tokens: null where the server did not
-- say. The order is that of writing, so that nothing is sorted and nothing older is read.
select
  k.run_id,
  k.created_at,
  k.latency_ms,
  coalesce(
    k.total_tokens,
    coalesce(k.prompt_tokens, k.estimated_prompt_tokens)
      + coalesce(k.completion_tokens, k.estimated_completion_tokens)
  ) as tokens,
  c.model
from turns as k
cross join traces as t on t.id = k.trace_id
cross join recipes as c on c.id = t.recipe_id
order by k.rowid desc;

-- name: newest_attempts
-- All failed requests with the model that was asked, the newest first, as newest_turns.
-- Grain: one row per failed request. tokens: 0 where nothing was billed.
select
  a.run_id,
  a.created_at,
  0 as latency_ms,
  coalesce(
    a.total_tokens,
    coalesce(a.prompt_tokens, a.estimated_prompt_tokens, 0)
      + coalesce(a.completion_tokens, a.estimated_completion_tokens, 0)
  ) as tokens,
  c.model
from attempts as a
cross join traces as t on t.id = a.trace_id
cross join recipes as c on c.id = t.recipe_id
order by a.rowid desc;

-- name: claims_of_runs
-- How many traces of a model each run holds by claims that expire after a moment.
-- Grain: one row per run.
select r.id, r.pid, r.process_started, count(*) as traces
from traces as t
join runs as r on r.id = t.claimed_by
join recipes as c on c.id = t.recipe_id
where t.claimed_by is not null
  and t.claim_expires_at > :expires_after
  and c.model = :model
group by r.id
order by r.id;

-- name: put_prices
-- Records what a model's tokens cost in a service tier; later prices replace earlier ones.
-- Grain: one row per model and tier. Prices per million tokens; a null for cached and cache_write: as
-- in. The empty tier: all that have no row.
insert into prices (
  model, tier, per_million_in, per_million_out, per_million_cached, per_million_cache_write,
  created_at, updated_at
)
values (
  :model, :tier, :per_million_in, :per_million_out, :per_million_cached, :per_million_cache_write,
  :now, :now
)
on conflict (model, tier) do update
  set per_million_in = excluded.per_million_in,
    per_million_out = excluded.per_million_out,
    per_million_cached = excluded.per_million_cached,
    per_million_cache_write = excluded.per_million_cache_write,
    updated_at = excluded.updated_at
  where (per_million_in, per_million_out, per_million_cached, per_million_cache_write)
    is not (
      excluded.per_million_in, excluded.per_million_out, excluded.per_million_cached,
      excluded.per_million_cache_write
    );

-- name: drop_other_tiers
-- Removes the prices of the service tiers that a model's newest prices do not name.
-- Grain: one row per tier. :tiers is a JSON array of those they name.
delete from prices
where model = :model and tier not in (select value from json_each(:tiers));

-- name: find_prices
-- What a model's tokens cost.
-- Grain: one row per service tier, the empty one first; see put_prices.
select tier, per_million_in, per_million_out, per_million_cached, per_million_cache_write
from prices
where model = :model
order by tier;

-- part: spent_columns
-- What a budget counts of a response or a failed request.
service_tier, prompt_tokens, completion_tokens, cached_tokens, cache_write_tokens, total_tokens,
      estimated_prompt_tokens, estimated_completion_tokens

-- part: spent_sums
-- The sums of a budget over rows with spent_columns. A count that is not known is 0; cached and
-- cache_write are parts of the prompt; estimated_tokens are beside total_tokens.
service_tier,
  coalesce(sum(prompt_tokens), 0) as prompt_tokens,
  coalesce(sum(completion_tokens), 0) as completion_tokens,
  coalesce(sum(min(cached_tokens, prompt_tokens)), 0) as cached_tokens,
  coalesce(
    sum(
      min(cache_write_tokens, prompt_tokens - min(coalesce(cached_tokens, 0), prompt_tokens))
    ), 0
  ) as cache_write_tokens,
  sum(coalesce(total_tokens, coalesce(prompt_tokens, 0) + coalesce(completion_tokens, 0)))
    as total_tokens,
  coalesce(sum(estimated_prompt_tokens), 0) as estimated_prompt_tokens,
  coalesce(sum(estimated_completion_tokens), 0) as estimated_completion_tokens,
  sum(
    iif(
      total_tokens is null,
      coalesce(estimated_prompt_tokens, 0) + coalesce(estimated_completion_tokens, 0),
      0
    )
  ) as estimated_tokens,
  sum(prompt_tokens is null or completion_tokens is null) as uncounted

-- part: sums_of_sums
-- The same sums over rows of spent_sums.
service_tier,
  sum(prompt_tokens) as prompt_tokens,
  sum(completion_tokens) as completion_tokens,
  sum(cached_tokens) as cached_tokens,
  sum(cache_write_tokens) as cache_write_tokens,
  sum(total_tokens) as total_tokens,
  sum(estimated_prompt_tokens) as estimated_prompt_tokens,
  sum(estimated_completion_tokens) as estimated_completion_tokens,
  sum(estimated_tokens) as estimated_tokens,
  sum(uncounted) as uncounted

-- name: spent_tokens
-- The tokens that all runs used for a model, with failed requests that were billed. Imported turns
-- are left out, because no run of this store paid for them.
-- Grain: one row per service tier; null where the server named none. Reads the index turns_by_run, not
-- the turns, and in its order, so that millions of rows are not sorted.
with of_model as (
  select id from recipes where model = :model
),
used as (
  select {{spent_sums}}
  -- A cross join keeps this order of loops: first the index of turns, then their traces.
  from turns as k
  cross join traces as t on t.id = k.trace_id
  where k.run_id is not null and t.recipe_id in (select id from of_model)
  group by k.run_id, k.service_tier
  union all
  select {{spent_sums}}
  from attempts as a
  cross join traces as t on t.id = a.trace_id
  where (a.usage is not null or a.estimated_completion_tokens is not null)
    and t.recipe_id in (select id from of_model)
  group by a.service_tier
)
select {{sums_of_sums}}
from used
group by service_tier
order by service_tier;

-- name: last_rows
-- The numbers of the last rows, which are also those of the newest: no row is ever removed.
-- Grain: one row; 0 where a table is empty.
select
  coalesce((select max(rowid) from turns), 0) as last_turn,
  coalesce((select max(rowid) from attempts), 0) as last_attempt;

-- name: spent_by_others
-- As spent_tokens, of the rows after :after_turn and :after_attempt that another run wrote, and
-- the numbers of the last rows.
-- Grain: one row per service tier; one with nulls where there is nothing. The plus keeps SQLite from
-- reading a whole index of run_id instead of the new rows.
with last_rows as (
  select
    coalesce((select max(rowid) from turns), 0) as last_turn,
    coalesce((select max(rowid) from attempts), 0) as last_attempt
),
of_model as (
  select id from recipes where model = :model
),
used as (
  select {{spent_columns}}
  from turns as k
  cross join traces as t on t.id = k.trace_id
  where k.rowid > :after_turn and +k.run_id <> :run_id and t.recipe_id in (select id from of_model)
  union all
  select {{spent_columns}}
  from attempts as a
  cross join traces as t on t.id = a.trace_id
  where a.rowid > :after_attempt and +a.run_id <> :run_id
    and (a.usage is not null or a.estimated_completion_tokens is not null)
    and t.recipe_id in (select id from of_model)
),
sums as (
  select {{spent_sums}}
  from used
  group by service_tier
)
select l.last_turn, l.last_attempt, s.*
from last_rows as l
left join sums as s on true
order by s.service_tier;
