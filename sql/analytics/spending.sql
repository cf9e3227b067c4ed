-- What each model has used and cost in this store, as a budget counts it: billed failures included.
-- Grain: one row per model with a trace. What was imported is left out: no run of this store paid
-- for it.
-- Parameters: none.
-- Units: tokens; a count the server did not report is 0. Costs in the currency of the prices.
-- Columns:
--   cached_tokens     the part of prompt_tokens that the server had cached; cache_write_tokens: the
--                     part that it wrote to its cache
--   estimated_tokens  beside total_tokens: a guess, where the server did not count
--   uncounted         responses and billed failures without a count of their prompt or completion
--   cost              of what was counted, by service tier; null where the model has no price
--   estimated_cost    of what was estimated, beside it; a budget adds both
-- Dialect: DuckDB, over the views of views.sql; within it SQLite's, see below.
with
-- SQLite runs this part, because it reads an index alone, where DuckDB would scan all turns. Sums
-- arrive as text.
used as (
  select
    model,
    service_tier,
    prompt_tokens::bigint as prompt_tokens,
    completion_tokens::bigint as completion_tokens,
    cached_tokens::bigint as cached_tokens,
    cache_write_tokens::bigint as cache_write_tokens,
    total_tokens::bigint as total_tokens,
    estimated_prompt_tokens::bigint as estimated_prompt_tokens,
    estimated_completion_tokens::bigint as estimated_completion_tokens,
    estimated_tokens::bigint as estimated_tokens,
    uncounted::bigint as uncounted
  from sqlite_query('store', $$
    with requests as (
      select
        t.recipe_id, k.service_tier, k.prompt_tokens, k.completion_tokens, k.cached_tokens,
        k.cache_write_tokens, k.total_tokens, k.estimated_prompt_tokens,
        k.estimated_completion_tokens
      from turns as k
      cross join traces as t on t.id = k.trace_id
      where k.run_id is not null
      union all
      select
        t.recipe_id, a.service_tier, a.prompt_tokens, a.completion_tokens, a.cached_tokens,
        a.cache_write_tokens, a.total_tokens, a.estimated_prompt_tokens,
        a.estimated_completion_tokens
      from attempts as a
      cross join traces as t on t.id = a.trace_id
      where a.usage is not null or a.estimated_completion_tokens is not null
    )
    select
      r.model,
      k.service_tier,
      sum(coalesce(k.prompt_tokens, 0)) as prompt_tokens,
      sum(coalesce(k.completion_tokens, 0)) as completion_tokens,
      sum(min(coalesce(k.cached_tokens, 0), coalesce(k.prompt_tokens, 0))) as cached_tokens,
      sum(
        min(
          coalesce(k.cache_write_tokens, 0),
          coalesce(k.prompt_tokens, 0)
            - min(coalesce(k.cached_tokens, 0), coalesce(k.prompt_tokens, 0))
        )
      ) as cache_write_tokens,
      sum(
        coalesce(k.total_tokens, coalesce(k.prompt_tokens, 0) + coalesce(k.completion_tokens, 0))
      ) as total_tokens,
      sum(coalesce(k.estimated_prompt_tokens, 0)) as estimated_prompt_tokens,
      sum(coalesce(k.estimated_completion_tokens, 0)) as estimated_completion_tokens,
      sum(
        iif(
          k.total_tokens is null,
          coalesce(k.estimated_prompt_tokens, 0) + coalesce(k.estimated_completion_tokens, 0),
          0
        )
      ) as estimated_tokens,
      sum(k.prompt_tokens is null or k.completion_tokens is null) as uncounted
    from requests as k
    cross join recipes as r on r.id = k.recipe_id
    group by r.model, k.service_tier
  $$)
)
select
  u.model,
  sum(u.prompt_tokens)::bigint as prompt_tokens,
  sum(u.completion_tokens)::bigint as completion_tokens,
  sum(u.cached_tokens)::bigint as cached_tokens,
  sum(u.cache_write_tokens)::bigint as cache_write_tokens,
  sum(u.total_tokens)::bigint as total_tokens,
  sum(u.estimated_tokens)::bigint as estimated_tokens,
  sum(u.uncounted)::bigint as uncounted,
  sum(
    cost_of(
      u.prompt_tokens,
      u.cached_tokens,
      u.cache_write_tokens,
      u.completion_tokens,
      if(o.model is null, p, o)
    )
  ) as cost,
  sum(
    cost_of(
      u.estimated_prompt_tokens, 0, 0, u.estimated_completion_tokens, if(o.model is null, p, o)
    )
  ) as estimated_cost
from used as u
left join prices as p on p.model = u.model and p.tier = ''
left join prices as o on o.model = u.model and o.tier = u.service_tier
group by u.model
order by u.model
