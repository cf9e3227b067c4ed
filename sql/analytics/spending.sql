-- What each model has used and cost in this store, as a budget counts it: billed failures included.
-- Grain: one row per model with a trace. What was imported is left out: no run of this store paid
-- for it.
-- Parameters: none.
-- Units: tokens; a count the server did not report is 0. Costs in the currency of the prices.
-- Columns:
--   cached_tokens  the part of prompt_tokens that the server had cached
--   cost           null where the model has no price
-- Dialect: DuckDB, over the views of views.sql; within it SQLite's, see below.
with
-- SQLite runs this part, because it reads an index alone, where DuckDB would scan all turns. Sums
-- arrive as text.
used as (
  select
    model,
    prompt_tokens::bigint as prompt_tokens,
    completion_tokens::bigint as completion_tokens,
    cached_tokens::bigint as cached_tokens,
    total_tokens::bigint as total_tokens
  from sqlite_query('store', $$
    select
      r.model,
      sum(coalesce(k.prompt_tokens, 0)) as prompt_tokens,
      sum(coalesce(k.completion_tokens, 0)) as completion_tokens,
      sum(min(coalesce(k.cached_tokens, 0), coalesce(k.prompt_tokens, 0))) as cached_tokens,
      sum(
        coalesce(k.total_tokens, coalesce(k.prompt_tokens, 0) + coalesce(k.completion_tokens, 0))
      ) as total_tokens
    from turns as k
    cross join traces as t on t.id = k.trace_id
    cross join recipes as r on r.id = t.recipe_id
    where k.run_id is not null
    group by r.model
  $$)
  union all
  select r.model, f.prompt_tokens, f.completion_tokens, f.cached_tokens, f.total_tokens
  from billed_failures as f
  join traces as t on t.id = f.trace_id
  join recipes as r on r.id = t.recipe_id
)
select
  u.model,
  sum(u.prompt_tokens)::bigint as prompt_tokens,
  sum(u.completion_tokens)::bigint as completion_tokens,
  sum(u.cached_tokens)::bigint as cached_tokens,
  sum(u.total_tokens)::bigint as total_tokens,
  cost_of(
    sum(u.prompt_tokens),
    sum(u.cached_tokens),
    sum(u.completion_tokens),
    any_value(p.per_million_in),
    any_value(p.per_million_cached),
    any_value(p.per_million_out)
  ) as cost
from used as u
left join prices as p on p.model = u.model
group by u.model
order by u.model
