-- What each recipe's traces cost, at the prices its model was last given.
-- Grain: one row per recipe.
-- Parameters: the reward whose scores count; the store's default where none is named.
-- Units: tokens; costs in the currency of the prices, and prices per million tokens.
-- Columns:
--   per_million_*     prices of the model, but for service tiers with prices of their own; null where
--                     no run was given any, and then cost too
--   traces, accepted  closed traces; those of them with a score of at least 0.3
--   *_tokens          sums over all turns and all failed requests that were billed; a count the
--                     server did not report is 0. cached_tokens and cache_write_tokens are part of
--                     prompt_tokens; estimated_tokens are beside them, and in no cost
--   billed_failures   failed requests that were billed; failed_cost: their part of cost
--   unpriced_turns    turns that are not in cost: no price, or no count of their tokens
-- Dialect: DuckDB, over the views of views.sql.
with billed as (
  select
    t.recipe,
    count(*) as requests,
    sum(f.prompt_tokens) as prompt_tokens,
    sum(f.cached_tokens) as cached_tokens,
    sum(f.cache_write_tokens) as cache_write_tokens,
    sum(f.completion_tokens) as completion_tokens,
    sum(f.estimated_tokens) as estimated_tokens,
    sum(f.cost) as cost
  from billed_failures as f
  join trace_names as t on t.trace_id = f.trace_id
  group by t.recipe
)
select
  s.recipe,
  s.model,
  s.with_tools,
  p.per_million_in,
  p.per_million_out,
  p.per_million_cached,
  p.per_million_cache_write,
  s.closed as traces,
  s.accepted,
  (coalesce(s.prompt_tokens, 0) + coalesce(b.prompt_tokens, 0))::bigint as prompt_tokens,
  (coalesce(s.cached_tokens, 0) + coalesce(b.cached_tokens, 0))::bigint as cached_tokens,
  (coalesce(s.cache_write_tokens, 0) + coalesce(b.cache_write_tokens, 0))::bigint
    as cache_write_tokens,
  (coalesce(s.completion_tokens, 0) + coalesce(b.completion_tokens, 0))::bigint
    as completion_tokens,
  (s.estimated_tokens + coalesce(b.estimated_tokens, 0))::bigint as estimated_tokens,
  coalesce(b.requests, 0) as billed_failures,
  s.unpriced_turns,
  s.cost,
  if(p.model is null, null, coalesce(b.cost, 0)) as failed_cost,
  s.cost_per_trace,
  s.cost_per_accepted_trace
from recipe_results as s
left join billed as b on b.recipe = s.recipe
left join prices as p on p.model = s.model and p.tier = ''
order by s.model, s.with_tools desc, s.recipe
