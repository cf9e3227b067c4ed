-- What all responses to runs of a model used, failed requests that were billed included. What was
-- imported is left out: no run of this store paid for it.
-- Grain: one row. A count the server did not say is 0; uncounted is how many responses lack that of
-- their prompt or completion. Reads the index turns_by_run, not the turns. Dialect: SQLite.
with of_model as (
  select id from recipes where model = :model
),
used as (
  select k.prompt_tokens, k.completion_tokens, k.cached_tokens, k.total_tokens
  -- A cross join keeps this order of loops: through the index, then to the trace.
  from turns as k
  cross join traces as t on t.id = k.trace_id
  where k.run_id is not null and t.recipe_id in (select id from of_model)
  union all
  select
    iif(
      json_type(a.usage, '$.prompt_tokens') = 'integer',
      json_extract(a.usage, '$.prompt_tokens'),
      null
    ),
    iif(
      json_type(a.usage, '$.completion_tokens') = 'integer',
      json_extract(a.usage, '$.completion_tokens'),
      null
    ),
    iif(
      json_type(a.usage, '$.prompt_tokens_details.cached_tokens') = 'integer',
      json_extract(a.usage, '$.prompt_tokens_details.cached_tokens'),
      null
    ),
    iif(
      json_type(a.usage, '$.total_tokens') = 'integer',
      json_extract(a.usage, '$.total_tokens'),
      null
    )
  from attempts as a
  cross join traces as t on t.id = a.trace_id
  where a.usage is not null and t.recipe_id in (select id from of_model)
)
select
  coalesce(sum(prompt_tokens), 0) as prompt_tokens,
  coalesce(sum(completion_tokens), 0) as completion_tokens,
  coalesce(sum(min(coalesce(cached_tokens, 0), coalesce(prompt_tokens, 0))), 0) as cached_tokens,
  coalesce(
    sum(coalesce(total_tokens, coalesce(prompt_tokens, 0) + coalesce(completion_tokens, 0))), 0
  ) as total_tokens,
  count(*) filter (where prompt_tokens is null or completion_tokens is null) as uncounted
from used
