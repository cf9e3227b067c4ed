-- How many points easy and hard photos bring, and where an easier photo brings fewer than a harder one.
-- Grain: one row per recipe and tenth of locatability, the hardest first; over closed traces that have
-- points or are failures.
-- Parameters: the reward whose points count; the store's default where none is named.
--   least  integer from 1, default 30: how many traces both tenths need for a fall to be sure
-- Units: GeoGuessr points, 0 to 5000; km; locatability from 0 (hard) to 1 (easy).
-- Columns:
--   decile          1 the hardest, below 0.1; null where locatability is not known, which comes last
--   traces          of it; failures: those of them without coordinates
--   points          their mean, where a failure has 0 unless the reward gives it some; points_low,
--                   points_high: its 95 % interval (bootstrap over samples)
--   points_parsed   their mean where failures are left out
--   median_km_failures_20000, median_km
--                   the middle distance, likewise with failures and without
--   step            points less those of the tenth before it that has traces; step_low, step_high: its
--                   95 % interval, from the widths of both intervals
--   note            'falls' where the step is below 0, although photos get easier; 'falls, surely' where
--                   the whole interval is, and traces are not few
-- Dialect: DuckDB, over the views of views.sql.
with
pointed as (
  select
    recipe,
    model,
    with_tools,
    sample_id,
    failure,
    decile(locatability_score) as decile,
    if(failure, coalesce(geoguessr_points, 0), geoguessr_points) as points,
    distance_km,
    distance_km_or_20000
  from trace_results
  where failure or geoguessr_points is not null
),
summed as (
  select
    recipe,
    model,
    with_tools,
    decile,
    count(*) as traces,
    count(*) filter (failure) as failures,
    avg(points) as points,
    avg(points) filter (not failure) as points_parsed,
    median(distance_km_or_20000) as median_km_failures_20000,
    median(distance_km) as median_km
  from pointed
  group by recipe, model, with_tools, decile
),
parts as (
  select recipe, decile, bootstrap_group(sample_id) as part, sum(points) as points, count(*) as traces
  from pointed
  group by recipe, decile, part
),
intervals as (
  select
    recipe,
    decile,
    bootstrap(list(points order by part), list(traces order by part)) as points_interval
  from parts
  group by recipe, decile
),
stepped as (
  select
    s.*,
    i.points_interval.low as points_low,
    i.points_interval.high as points_high,
    if(s.decile is null, null, s.points - lag(s.points) over by_decile) as step,
    (points_high - points_low) / 2 as half_width,
    lag(half_width) over by_decile as half_width_before,
    least(s.traces, lag(s.traces) over by_decile) as fewest
  from summed as s
  join intervals as i on i.recipe = s.recipe and i.decile is not distinct from s.decile
  window by_decile as (partition by s.recipe order by s.decile nulls last)
),
-- The difference of two independent means spreads by the root of the sum of their squares.
flagged as (
  select *, sqrt(half_width ** 2 + half_width_before ** 2) as step_half_width
  from stepped
)
select
  recipe,
  model,
  with_tools,
  decile,
  traces,
  failures,
  points,
  points_low,
  points_high,
  points_parsed,
  median_km_failures_20000,
  median_km,
  step,
  step - step_half_width as step_low,
  step + step_half_width as step_high,
  case
    when step + step_half_width < 0 and fewest >= $least then 'falls, surely'
    when step < 0 then 'falls'
  end as note
from flagged
order by model, with_tools desc, recipe, decile nulls last
