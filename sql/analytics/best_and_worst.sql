-- The best and the worst traces, to look at.
-- Grain: one row per closed trace with a score, or that counts as score 0; the best first, then the worst,
-- the worst of all first. No trace stands in both.
-- Parameters: the reward whose scores count; the store's default where none is named.
--   most     integer from 1 to 1000000000, default 4: how many of each
-- Units: km; scores from 0 to 1.
-- Columns: as in trace_results of views.sql, but for
--   which    best or worst
--   why      why a trace has no coordinates; null where it has them
-- Dialect: DuckDB, over the views of views.sql.
with
scored as (
  select
    trace_id, trace, status, failure, answer_failure, stop_reason, score_or_0, distance_km,
    distance_km_or_20000, coalesce(true_country, country) as country, model, with_tools, turns,
    tool_calls
  from trace_results
  where status <> 'open' and score_or_0 is not null
),
best as (
  select *, 'best' as which, row_number() over (order by score_or_0 desc, distance_km, trace_id) as place
  from (select * from scored where not failure order by score_or_0 desc, distance_km, trace_id limit $most)
),
worst as (
  select
    *,
    'worst' as which,
    row_number() over (order by score_or_0, distance_km_or_20000 desc, status = 'failed', trace_id)
      as place
  from (
    select *
    from scored
    where trace_id not in (select trace_id from best)
    order by score_or_0, distance_km_or_20000 desc, status = 'failed', trace_id
    limit $most
  )
)
select
  which,
  trace,
  score_or_0 as score,
  distance_km,
  country,
  model,
  with_tools,
  turns,
  tool_calls,
  if(failure, if(status = 'answered', answer_failure, stop_reason), null) as why
from (select * from best union all select * from worst)
order by which, place
