-- How each recipe does: what it answers, how far off, at what cost.
-- Grain: one row per recipe with a closed trace; all numbers are of closed traces.
-- Parameters: the reward whose scores count; the store's default where none is named.
-- Units: km, tokens, shares from 0 to 1.
-- Columns: as in recipe_results of views.sql, but for
--   traces         closed traces
--   accept_rate    accepted of scored; accept_rate_low, accept_rate_high: its 95 % interval (Wilson)
--   failed_traces  those of the failures that have no final response
--   mean_tokens    of closed traces
-- Dialect: DuckDB, over the views of views.sql.
select
  recipe,
  model,
  with_tools,
  closed as traces,
  answered,
  scored,
  accepted,
  accept_rate,
  share_low(accepted, scored) as accept_rate_low,
  share_high(accepted, scored) as accept_rate_high,
  mean_km,
  median_km,
  mean_km_failures_20000,
  median_km_failures_20000,
  failures,
  failed as failed_traces,
  unscored,
  mean_score,
  mean_score_failures_0,
  mean_tokens_closed as mean_tokens
from recipe_results
where closed > 0
order by model, with_tools desc, recipe
