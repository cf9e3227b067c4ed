-- The share of answers that are right, per recipe: within each distance (--km), and by place.
-- Grain: one row per recipe with a closed trace and measure: the distances, the nearest first, then
-- city, region and country.
-- Parameters: the reward whose scores count; the store's default where none is named. The distances
-- (--km); 1, 25, 200, 750 and 2500 km where none is named.
-- Units: shares from 0 to 1.
-- Columns: as in accuracy_results of views.sql, and
--   *_low, *_high  the 95 % interval of a share (Wilson): of the traces, and where failures are left out
-- Places that are not computed yet are left out (geostore rescore computes them).
-- Dialect: DuckDB, over the views of views.sql.
select
  recipe,
  model,
  with_tools,
  within,
  traces,
  failures,
  acc,
  share_low(hits, traces) as acc_low,
  share_high(hits, traces) as acc_high,
  acc_parsed,
  share_low(hits, traces - failures) as acc_parsed_low,
  share_high(hits, traces - failures) as acc_parsed_high
from accuracy_results
where closed > 0
order by
  model,
  with_tools desc,
  recipe,
  km nulls last,
  case within when 'city' then 1 when 'region' then 2 else 3 end
