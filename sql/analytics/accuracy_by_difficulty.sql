-- How often answers are right on hard and on easy photos, with and without tools.
-- Grain: one row per tenth of locatability (the last of unknown locatability) and kind of recipe; over
-- closed traces that have a distance or are failures.
-- Parameters: the reward whose distances count; the store's default where none is named.
--   km       number, default 200: the distance within which an answer is right
-- Units: km; locatability and shares from 0 to 1; GeoGuessr points from 0 to 5000.
-- Columns:
--   decile      1: locatability from 0 to 0.1, the hardest; 10: from 0.9 to 1; null: unknown
--   traces      of the tenth and kind; failures: those of them without coordinates
--   acc         share within the distance, a failure is a miss; acc_parsed: failures left out
--   mean_points_failures_0, mean_points
--               GeoGuessr points with each failure as 0, and with failures left out
-- Dialect: DuckDB, over the views of views.sql.
with measured as (
  select
    decile(locatability_score) as decile,
    with_tools,
    failure,
    distance_km,
    geoguessr_points,
    coalesce(distance_km_or_20000 <= $km and not failure, false) as hit
  from trace_results
  where status <> 'open' and (failure or distance_km is not null)
)
select
  decile,
  with_tools,
  count(*) as traces,
  count(*) filter (failure) as failures,
  count(*) filter (hit) / count(*) as acc,
  share_low(count(*) filter (hit), count(*)) as acc_low,
  share_high(count(*) filter (hit), count(*)) as acc_high,
  count(*) filter (hit) / nullif(count(*) filter (not failure), 0) as acc_parsed,
  share_low(count(*) filter (hit), count(*) filter (not failure)) as acc_parsed_low,
  share_high(count(*) filter (hit), count(*) filter (not failure)) as acc_parsed_high,
  avg(if(failure, 0, geoguessr_points)) as mean_points_failures_0,
  avg(geoguessr_points) filter (not failure) as mean_points
from measured
group by decile, with_tools
order by decile nulls last, with_tools desc
