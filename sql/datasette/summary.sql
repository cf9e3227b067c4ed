-- How each recipe does: what it answers, how far off, at what cost.
-- Grain: as analytics/summary, without medians and intervals, which SQLite has no function for.
-- Units: km, tokens, shares from 0 to 1.
-- Dialect: SQLite, over the views of the schema.
select
  recipe,
  model,
  with_tools,
  count(*) as traces,
  count(*) filter (where status = 'answered') as answered,
  count(score_or_0) as scored,
  count(*) filter (where score_or_0 >= 0.3) as accepted,
  avg(score_or_0 >= 0.3) as accept_rate,
  avg(distance_km) as mean_km,
  avg(distance_km_or_20000) as mean_km_failures_20000,
  count(*) filter (where failure) as failures,
  count(*) filter (where status = 'failed') as failed_traces,
  count(*) filter (where not failure and distance_km is null) as unscored,
  avg(score) filter (where not failure) as mean_score,
  avg(score_or_0) as mean_score_failures_0,
  avg(total_tokens) as mean_tokens
from trace_results
where status <> 'open'
group by recipe, model, with_tools
order by model nulls last, with_tools desc, recipe
