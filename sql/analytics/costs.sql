-- What each recipe's traces cost, and each accepted one, at the prices its model was last given.
-- Grain: one row per recipe.
-- Parameters: the reward whose scores count; the store's default where none is named.
--   min_score  number, default 0.3: the score from which a trace is accepted
-- Units: tokens; shares from 0 to 1; costs in the currency of the prices, and prices per million tokens.
-- Columns:
--   per_million_*     prices of the model, but for service tiers with prices of their own; null where
--                     no run was given any, and then cost too
--   traces            closed traces; scored: those of them with a score or a failure
--   accepted          those with such a score; a failure has score 0 unless the reward gives it another
--   accept_rate       accepted of scored, with its 95 % interval (Wilson)
--   *_tokens          sums over all turns and all failed requests that were billed, of open traces too; a
--                     count the server did not report is 0. cached_tokens and cache_write_tokens are part
--                     of prompt_tokens; estimated_tokens are beside them, and in no cost
--   tokens_per_trace, tokens_per_accepted_trace
--                     prompt and completion tokens for each closed trace, and for each accepted one: what
--                     was spent on the others is in it
--   billed_failures   failed requests that were billed; failed_cost: their part of cost
--   unpriced_turns    turns that are not in cost: no price, or no count of their tokens
-- Dialect: DuckDB, over the views of views.sql.
with
billed as (
  select
    left(r.sha256, 8) as recipe,
    count(*) as requests,
    sum(f.prompt_tokens) as prompt_tokens,
    sum(f.cached_tokens) as cached_tokens,
    sum(f.cache_write_tokens) as cache_write_tokens,
    sum(f.completion_tokens) as completion_tokens,
    sum(f.estimated_tokens) as estimated_tokens,
    sum(f.cost) as cost
  from billed_failures as f
  join traces as t on t.id = f.trace_id
  join recipes as r on r.id = t.recipe_id
  group by left(r.sha256, 8)
),
summed as (
  select
    recipe,
    model,
    with_tools,
    count(*) filter (status <> 'open') as traces,
    count(score_or_0) as scored,
    count(*) filter (score_or_0 >= $min_score) as accepted,
    coalesce(sum(prompt_tokens), 0) as prompt_tokens,
    coalesce(sum(cached_tokens), 0) as cached_tokens,
    coalesce(sum(cache_write_tokens), 0) as cache_write_tokens,
    coalesce(sum(completion_tokens), 0) as completion_tokens,
    coalesce(sum(estimated_tokens), 0) as estimated_tokens,
    sum(unpriced_turns)::bigint as unpriced_turns,
    sum(cost) as cost
  from trace_results
  group by recipe, model, with_tools
),
paid as (
  select
    s.* exclude (
      prompt_tokens, cached_tokens, cache_write_tokens, completion_tokens, estimated_tokens
    ),
    (s.prompt_tokens + coalesce(b.prompt_tokens, 0))::bigint as prompt_tokens,
    (s.cached_tokens + coalesce(b.cached_tokens, 0))::bigint as cached_tokens,
    (s.cache_write_tokens + coalesce(b.cache_write_tokens, 0))::bigint as cache_write_tokens,
    (s.completion_tokens + coalesce(b.completion_tokens, 0))::bigint as completion_tokens,
    (s.estimated_tokens + coalesce(b.estimated_tokens, 0))::bigint as estimated_tokens,
    coalesce(b.requests, 0) as billed_failures,
    coalesce(b.cost, 0) as failed_cost
  from summed as s
  left join billed as b on b.recipe = s.recipe
)
select
  s.recipe,
  s.model,
  s.with_tools,
  p.per_million_in,
  p.per_million_out,
  p.per_million_cached,
  p.per_million_cache_write,
  s.traces,
  s.scored,
  s.accepted,
  s.accepted / nullif(s.scored, 0) as accept_rate,
  share_low(s.accepted, s.scored) as accept_rate_low,
  share_high(s.accepted, s.scored) as accept_rate_high,
  s.prompt_tokens,
  s.cached_tokens,
  s.cache_write_tokens,
  s.completion_tokens,
  s.estimated_tokens,
  (s.prompt_tokens + s.completion_tokens) / nullif(s.traces, 0) as tokens_per_trace,
  (s.prompt_tokens + s.completion_tokens) / nullif(s.accepted, 0) as tokens_per_accepted_trace,
  s.billed_failures,
  s.unpriced_turns,
  s.cost,
  if(p.model is null, null, s.failed_cost) as failed_cost,
  s.cost / nullif(s.traces, 0) as cost_per_trace,
  s.cost / nullif(s.accepted, 0) as cost_per_accepted_trace
from paid as s
left join prices as p on p.model = s.model and p.tier = ''
order by s.model, s.with_tools desc, s.recipe
