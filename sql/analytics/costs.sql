-- What each recipe's traces cost, at the prices its model was last given.
-- Grain: one row per recipe. Tokens are sums over all turns and all failed requests that were
-- billed; a count the server did not say is 0.
--   per_million_*            prices of the model; null where no run was given any, and then cost too
--   traces, accepted         closed traces; those of them with score >= 0.3
--   cached_tokens            the part of prompt_tokens that the server had cached
--   billed_failures, failed_cost
--                            failed requests that were billed, and their part of cost
--   unpriced_turns           turns that are not in cost: no price, or no count of their tokens
-- Dialect: DuckDB, over the views of views.sql.
with
failed as (
  select
    trace_id,
    count(*) as requests,
    sum(prompt_tokens) as prompt_tokens,
    sum(completion_tokens) as completion_tokens,
    sum(cached_tokens) as cached_tokens,
    sum(total_tokens) as total_tokens
  from billed_failures
  group by trace_id
),
spent as (
  select
    t.recipe,
    t.model,
    t.with_tools,
    count(*) filter (t.status <> 'open') as traces,
    count(*) filter (t.score_or_0 >= 0.3) as accepted,
    coalesce(sum(t.prompt_tokens), 0) + coalesce(sum(f.prompt_tokens), 0) as prompt_tokens,
    coalesce(sum(t.cached_tokens), 0) + coalesce(sum(f.cached_tokens), 0) as cached_tokens,
    coalesce(sum(t.completion_tokens), 0)
      + coalesce(sum(f.completion_tokens), 0) as completion_tokens,
    coalesce(sum(f.requests), 0) as billed_failures,
    coalesce(sum(f.prompt_tokens), 0) as failed_prompt,
    coalesce(sum(f.cached_tokens), 0) as failed_cached,
    coalesce(sum(f.completion_tokens), 0) as failed_completion,
    sum(t.unpriced_turns) as unpriced_turns,
    sum(t.cost) as cost
  from trace_results as t
  left join failed as f on f.trace_id = t.trace_id
  group by t.recipe, t.model, t.with_tools
)
select
  s.recipe,
  s.model,
  s.with_tools,
  p.per_million_in,
  p.per_million_out,
  p.per_million_cached,
  s.traces,
  s.accepted,
  s.prompt_tokens::bigint as prompt_tokens,
  s.cached_tokens::bigint as cached_tokens,
  s.completion_tokens::bigint as completion_tokens,
  s.billed_failures::bigint as billed_failures,
  s.unpriced_turns::bigint as unpriced_turns,
  s.cost,
  cost_of(
    s.failed_prompt,
    s.failed_cached,
    s.failed_completion,
    p.per_million_in,
    p.per_million_cached,
    p.per_million_out
  ) as failed_cost,
  s.cost / nullif(s.traces, 0) as cost_per_trace,
  s.cost / nullif(s.accepted, 0) as cost_per_accepted_trace
from spent as s
left join prices as p on p.model = s.model
order by s.model, s.with_tools desc, s.recipe
