-- How each recipe does: what it answers, how far off, at what cost.
-- Grain: one row per recipe with a closed trace. Reward: the store's default spec.
--   accept_rate   share of closed traces with score >= 0.3
--   failures      closed traces without coordinates, failed_traces of them without a final response
--   unscored      traces with coordinates and without a current reward (geostore rescore computes it)
--   *_km          distance in km: first with failures left out, then with each as 20,000 km
-- Dialect: DuckDB, over the view of views.sql.
select
  recipe,
  model,
  with_tools,
  count(*) as traces,
  count(*) filter (status = 'answered') as answered,
  avg((score_or_0 >= 0.3)::integer) as accept_rate,
  avg(distance_km) as mean_km,
  median(distance_km) as median_km,
  avg(distance_km_or_20000) as mean_km_failures_20000,
  median(distance_km_or_20000) as median_km_failures_20000,
  count(*) filter (failure) as failures,
  count(*) filter (status = 'failed') as failed_traces,
  count(*) filter (not failure and distance_km is null) as unscored,
  avg(score) as mean_score,
  avg(score_or_0) as mean_score_failures_0,
  avg(total_tokens) as mean_tokens
from trace_results
where status <> 'open'
group by recipe, model, with_tools
order by model, with_tools desc, recipe
