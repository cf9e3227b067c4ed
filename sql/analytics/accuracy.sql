-- The share of traces within 1, 25, 200, 750 and 2500 km (acc@km), per recipe.
-- Grain: one row per recipe with a closed trace.
-- Parameters: the reward whose scores count; the store's default where none is named.
-- Units: shares from 0 to 1 of the closed traces.
-- Columns: as in recipe_results of views.sql, but for
--   traces    closed traces
--   acc_*_km  a distance on the border is within
-- Dialect: DuckDB, over the views of views.sql.
select
  recipe,
  model,
  with_tools,
  closed as traces,
  failures,
  acc_1_km,
  acc_25_km,
  acc_200_km,
  acc_750_km,
  acc_2500_km
from recipe_results
where closed > 0
order by model, with_tools desc, recipe
