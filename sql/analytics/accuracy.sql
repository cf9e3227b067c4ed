-- The share of answers within each distance (acc@km), per recipe; --km names the distances.
-- Grain: one row per recipe with a closed trace and distance, the nearest first.
-- Parameters: the reward whose scores count; the store's default where none is named. The distances
-- (--km); 1, 25, 200, 750 and 2500 km where none is named.
-- Units: km; shares from 0 to 1 of the closed traces.
-- Columns: as in accuracy_results of views.sql, but for
--   traces  closed traces
-- Dialect: DuckDB, over the views of views.sql.
select
  recipe,
  model,
  with_tools,
  km,
  closed as traces,
  failures,
  acc,
  acc_parsed
from accuracy_results
where closed > 0
order by model, with_tools desc, recipe, km
