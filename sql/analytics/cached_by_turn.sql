-- Which share of the prompt tokens of each turn the server read from its cache.
-- Grain: one row per recipe and turn number, from 1; over all responses with a count of prompt tokens.
-- Parameters: none.
-- Units: tokens; shares from 0 to 1.
-- Columns:
--   responses        with a count of prompt tokens; reported: those whose server says how many were cached
--   prompt_tokens    of the responses; cached_tokens: the part that was cached
--   cached_share     of the prompt tokens, where a server that says nothing of a cache has none;
--                    cached_share_low, cached_share_high: its 95 % interval (bootstrap over traces)
--   cached_share_reported
--                    over the responses whose server says it alone, likewise; null where none does
-- Dialect: DuckDB, over the macros of views.sql.
with grouped as (
  select
    t.recipe_id,
    k.turn,
    bootstrap_group(k.trace_id) as part,
    count(*) as responses,
    count(k.cached_tokens) as reported,
    sum(k.prompt_tokens) as prompt_tokens,
    sum(cached_in(k.prompt_tokens, k.cached_tokens)) as cached_tokens,
    sum(k.prompt_tokens) filter (k.cached_tokens is not null) as reported_prompt_tokens
  from turns as k
  join traces as t on t.id = k.trace_id
  where k.prompt_tokens is not null
  group by t.recipe_id, k.turn, part
),
summed as (
  select
    recipe_id,
    turn,
    sum(responses)::bigint as responses,
    sum(reported)::bigint as reported,
    sum(prompt_tokens)::bigint as prompt_tokens,
    sum(cached_tokens)::bigint as cached_tokens,
    sum(reported_prompt_tokens) as reported_prompt_tokens,
    bootstrap(list(cached_tokens order by part), list(prompt_tokens order by part)) as interval,
    bootstrap(
      list(cached_tokens order by part) filter (reported > 0),
      list(reported_prompt_tokens order by part) filter (reported > 0)
    ) as reported_interval
  from grouped
  group by recipe_id, turn
)
select
  left(r.sha256, 8) as recipe,
  r.model,
  s.turn,
  s.responses,
  s.reported,
  s.prompt_tokens,
  s.cached_tokens,
  s.cached_tokens / nullif(s.prompt_tokens, 0) as cached_share,
  s.interval.low as cached_share_low,
  s.interval.high as cached_share_high,
  s.cached_tokens / nullif(s.reported_prompt_tokens, 0) as cached_share_reported,
  s.reported_interval.low as cached_share_reported_low,
  s.reported_interval.high as cached_share_reported_high
from summed as s
join recipes as r on r.id = s.recipe_id
order by r.model, recipe, s.turn
