-- The whole batch in one row, and each recipe: traces, answers, distances, tools, tokens, cost.
-- Grain: one row over the store (recipe (all); model, with_tools null), then one row per recipe.
-- Parameters: the reward whose scores count; the store's default where none is named.
-- Units: km, tokens, shares from 0 to 1; costs in the currency of the prices.
-- Columns: as in recipe_results of views.sql. In the row over the store, costs are of the models
-- that have a price, and null where none has.
-- Dialect: DuckDB, over the views of views.sql.
select
  coalesce(recipe, '(all)') as recipe,
  model,
  with_tools,
  traces,
  open,
  answered,
  exhausted,
  failed,
  parse_success_rate,
  failures,
  unscored,
  mean_km,
  median_km,
  mean_km_failures_20000,
  median_km_failures_20000,
  mean_score,
  mean_score_failures_0,
  mean_geoguessr_points,
  acc_1_km,
  acc_25_km,
  acc_200_km,
  acc_750_km,
  acc_2500_km,
  turns,
  mean_turns,
  max_turns,
  tool_calls,
  tool_success_rate,
  prompt_tokens,
  cached_tokens,
  cache_write_tokens,
  completion_tokens,
  total_tokens,
  mean_tokens,
  estimated_tokens,
  uncounted_turns,
  cost,
  cost_per_trace,
  cost_per_accepted_trace,
  stated_cost,
  unpriced_turns
from result_sums
order by result_sums.recipe is not null, model, with_tools desc, result_sums.recipe
