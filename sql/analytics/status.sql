-- How the runs go that are not known to have ended, and the newest run in any case.
-- Grain: one row per run, the newest first. A run without an end may have been killed: only its host
-- can tell.
-- Parameters: none; scores are those of the store's default reward.
-- Units: times as ISO-8601 text, UTC; km, tokens, shares from 0 to 1; costs in the currency of the
-- prices.
-- Columns:
--   moment         now; recent_*: in the minute before it
--   model, recipe  of the traces it touched; before the first, the model it was given, if any
--   planned        num_samples (at most what the dataset has) times rollouts; null where the run is
--                  over all samples of a range, whose number is not in the store
--   done_before    traces of its recipe and dataset that were closed before it began
--   in_flight      traces it holds; claim_until: when the last of its claims expires
--   closed         traces it closed: its response or failed request was their last
--   mean_km        of the closed traces that have a distance; median_km: of the same
--   accept_rate    share of the closed traces with a score of at least 0.3
--   turns, tokens  responses; all tokens that were counted, those of billed failures included
--   cached_tokens  of these: read from the server's cache; cache_write_tokens: written to it
--   estimated_tokens
--                  beside tokens: a guess, where the server did not count
--   uncounted      responses and billed failures without a count of their prompt or completion
--   failures       failed requests by class
--   cost           of what was counted; null where the model has no price
--   unpriced_turns  turns whose cost is not known in full: no price, or a count not reported
--   last_at        its last response or failed request
-- Dialect: DuckDB, over the views of views.sql; within it SQLite's, see below.
with
shown as materialized (
  select
    id as run_id, host, pid, process_started, started_at, ended_at, outcome, arguments,
    try_cast(arguments ->> '$.plan.num_samples' as bigint) as num_samples,
    coalesce(try_cast(arguments ->> '$.plan.rollouts' as bigint), 1) as rollouts,
    coalesce(
      arguments ->> '$.plan.draw.min_locatability', arguments ->> '$.plan.draw.max_locatability'
    ) is not null as in_range
  from runs
  where ended_at is null or id = (select max(id) from runs)
),
-- SQLite runs this part, because it finds a run's turns in an index, where DuckDB would scan all
-- turns. What it computes arrives as text.
responses as materialized (
  select
    run_id::bigint as run_id,
    trace_id::bigint as trace_id,
    service_tier,
    turns::bigint as turns,
    recent_turns::bigint as recent_turns,
    prompt_tokens::bigint as prompt_tokens,
    completion_tokens::bigint as completion_tokens,
    cached_tokens::bigint as cached_tokens,
    cache_write_tokens::bigint as cache_write_tokens,
    tokens::bigint as tokens,
    estimated_tokens::bigint as estimated_tokens,
    recent_tokens::bigint as recent_tokens,
    uncounted::bigint as uncounted,
    last_at
  from sqlite_query('store', $$
    with since as (
      select strftime('%Y-%m-%dT%H:%M:%fZ', 'now', '-60 seconds') as moment
    )
    select
      run_id,
      trace_id,
      service_tier,
      count(*) as turns,
      sum(created_at >= moment) as recent_turns,
      sum(coalesce(prompt_tokens, 0)) as prompt_tokens,
      sum(coalesce(completion_tokens, 0)) as completion_tokens,
      sum(min(coalesce(cached_tokens, 0), coalesce(prompt_tokens, 0))) as cached_tokens,
      sum(
        min(
          coalesce(cache_write_tokens, 0),
          coalesce(prompt_tokens, 0) - min(coalesce(cached_tokens, 0), coalesce(prompt_tokens, 0))
        )
      ) as cache_write_tokens,
      sum(
        coalesce(total_tokens, coalesce(prompt_tokens, 0) + coalesce(completion_tokens, 0))
      ) as tokens,
      sum(
        iif(
          total_tokens is null,
          coalesce(estimated_prompt_tokens, 0) + coalesce(estimated_completion_tokens, 0),
          0
        )
      ) as estimated_tokens,
      sum(
        (created_at >= moment)
        * coalesce(total_tokens, coalesce(prompt_tokens, 0) + coalesce(completion_tokens, 0))
      ) as recent_tokens,
      sum(prompt_tokens is null or completion_tokens is null) as uncounted,
      max(created_at) as last_at
    from turns
    cross join since
    where run_id in (
      select id from runs where ended_at is null or id = (select max(id) from runs)
    )
    group by run_id, trace_id, service_tier
  $$)
),
failed as materialized (
  select run_id, trace_id, error_class, created_at
  from attempts
  where run_id in (select run_id from shown) and error_class <> 'probe'
),
billed as (
  select
    run_id,
    sum(cached_tokens) as cached_tokens,
    sum(cache_write_tokens) as cache_write_tokens,
    sum(total_tokens) as tokens,
    sum(estimated_tokens) as estimated_tokens,
    count(*) filter (uncounted) as uncounted,
    sum(cost) as cost
  from billed_failures
  where run_id in (select run_id from shown)
  group by run_id
),
by_class as (
  select run_id, histogram(error_class) as failures, max(created_at) as last_at
  from failed
  group by run_id
),
answered_by_run as (
  select
    run_id,
    sum(turns) as turns,
    sum(recent_turns) as recent_turns,
    sum(cached_tokens) as cached_tokens,
    sum(cache_write_tokens) as cache_write_tokens,
    sum(tokens) as tokens,
    sum(estimated_tokens) as estimated_tokens,
    sum(recent_tokens) as recent_tokens,
    sum(uncounted) as uncounted,
    max(last_at) as last_at
  from responses
  group by run_id
),
held as (
  select claimed_by as run_id, id as trace_id, claim_expires_at
  from traces
  where claimed_by is not null
),
holding as (
  select run_id, count(*) as in_flight, max(claim_expires_at) as claim_until
  from held
  group by run_id
),
touched as materialized (
  select run_id, trace_id from responses
  union
  select run_id, trace_id from failed
  union
  select run_id, trace_id from held
),
-- A run has one recipe and one dataset.
recipe_of_run as materialized (
  select
    o.run_id,
    min(t.recipe_id) as recipe_id,
    min(s.dataset_id) as dataset_id
  from touched as o
  join traces as t on t.id = o.trace_id
  join samples as s on s.id = t.sample_id
  group by o.run_id
),
paid as (
  select
    k.run_id,
    sum(
      cost_of(
        k.prompt_tokens,
        k.cached_tokens,
        k.cache_write_tokens,
        k.completion_tokens,
        if(o.model is null, p, o)
      )
    ) as cost
  from responses as k
  join recipe_of_run as q on q.run_id = k.run_id
  join recipes as c on c.id = q.recipe_id
  left join prices as p on p.model = c.model and p.tier = ''
  left join prices as o on o.model = c.model and o.tier = k.service_tier
  group by k.run_id
),
last_touched as (
  select trace_id, max(run_id) as run_id
  from touched
  group by trace_id
),
closing as (
  select
    l.run_id,
    count(*) as closed,
    median(v.distance_km) as median_km,
    avg(v.distance_km) as mean_km,
    avg(is_accepted(v.score_or_0)::integer) as accept_rate
  from last_touched as l
  join shown as r on r.run_id = l.run_id
  join traces as t on t.id = l.trace_id
  left join trace_results as v on v.trace_id = l.trace_id
  where t.closed_at >= r.started_at and t.closed_at <= coalesce(r.ended_at, t.closed_at)
  group by l.run_id
),
before as (
  select r.run_id, count(*) as done_before
  from shown as r
  join recipe_of_run as q on q.run_id = r.run_id
  join traces as t on t.recipe_id = q.recipe_id
  -- A row that stands for a sample of another dataset has its traces there.
  join samples as s
    on s.dataset_id = q.dataset_id and coalesce(s.same_as, s.id) = t.sample_id
  where t.closed_at < r.started_at and t.rollout <= r.rollouts
  group by r.run_id
)
select
  strftime(make_timestamp(epoch_ms(now()) * 1000), '%Y-%m-%dT%H:%M:%S.%gZ') as moment,
  r.run_id,
  r.host,
  r.pid,
  r.process_started,
  r.started_at,
  r.ended_at,
  r.outcome,
  greatest(k.last_at, f.last_at) as last_at,
  coalesce(c.model, r.arguments ->> '$.teacher.model') as model,
  left(c.sha256, 8) as recipe,
  if(
    r.num_samples is null and r.in_range,
    null,
    least(coalesce(r.num_samples, d.num_rows), d.num_rows)
  ) * r.rollouts as planned,
  coalesce(e.done_before, 0) as done_before,
  coalesce(h.in_flight, 0) as in_flight,
  h.claim_until,
  coalesce(g.closed, 0) as closed,
  g.median_km,
  g.mean_km,
  g.accept_rate,
  coalesce(k.turns, 0)::bigint as turns,
  coalesce(k.recent_turns, 0)::bigint as recent_turns,
  (coalesce(k.tokens, 0) + coalesce(b.tokens, 0))::bigint as tokens,
  coalesce(k.recent_tokens, 0)::bigint as recent_tokens,
  (coalesce(k.cached_tokens, 0) + coalesce(b.cached_tokens, 0))::bigint as cached_tokens,
  (coalesce(k.cache_write_tokens, 0) + coalesce(b.cache_write_tokens, 0))::bigint
    as cache_write_tokens,
  (coalesce(k.estimated_tokens, 0) + coalesce(b.estimated_tokens, 0))::bigint as estimated_tokens,
  (coalesce(k.uncounted, 0) + coalesce(b.uncounted, 0))::bigint as uncounted,
  f.failures,
  if(p.model is null, null, coalesce(m.cost, 0) + coalesce(b.cost, 0)) as cost,
  coalesce(if(p.model is null, k.turns, k.uncounted), 0)::bigint as unpriced_turns,
  r.arguments
from shown as r
left join recipe_of_run as q on q.run_id = r.run_id
left join recipes as c on c.id = q.recipe_id
left join datasets as d on d.id = q.dataset_id
left join prices as p on p.model = c.model and p.tier = ''
left join answered_by_run as k on k.run_id = r.run_id
left join by_class as f on f.run_id = r.run_id
left join billed as b on b.run_id = r.run_id
left join paid as m on m.run_id = r.run_id
left join holding as h on h.run_id = r.run_id
left join closing as g on g.run_id = r.run_id
left join before as e on e.run_id = r.run_id
order by r.run_id desc
