-- Samples of which some rollouts are right and some are not, as reinforcement learning wants them.
-- Grain: one row per recipe and such sample, those nearest to half first.
-- Parameters: the reward whose distances count; the store's default where none is named.
--   km     number from 0, default 25: the distance within which an answer is right
--   least  integer from 1, default 2: how many closed rollouts a sample needs
--   most   integer from 1 to 1000000000, default 1000: how many rows there are at most
-- Units: km; shares from 0 to 1; locatability from 0 (hard) to 1 (easy).
-- Columns:
--   rollouts     closed, with a distance or a failure, which is a miss; passes: those that are right
--   pass_rate    passes of rollouts, strictly between 0 and 1, with its 95 % interval (Wilson)
--   failures     rollouts without coordinates; pass_rate_parsed: passes of the others, likewise
--   median_km_failures_20000
--                of the rollouts
--   trace        the first rollout that is right
-- Dialect: DuckDB, over the views of views.sql.
with tried as (
  select
    recipe,
    any_value(model) as model,
    any_value(dataset) as dataset,
    any_value(sample_index) as sample_index,
    any_value(country) as country,
    any_value(locatability_score) as locatability_score,
    count(*) as rollouts,
    count(*) filter (not failure and distance_km <= $km) as passes,
    count(*) filter (failure) as failures,
    median(distance_km_or_20000) as median_km_failures_20000,
    arg_min(trace, rollout) filter (not failure and distance_km <= $km) as trace
  from trace_results
  where distance_km_or_20000 is not null
  group by recipe, sample_id
)
select
  recipe,
  model,
  dataset,
  sample_index,
  country,
  locatability_score,
  rollouts,
  passes,
  passes / rollouts as pass_rate,
  share_low(passes, rollouts) as pass_rate_low,
  share_high(passes, rollouts) as pass_rate_high,
  failures,
  passes / (rollouts - failures) as pass_rate_parsed,
  share_low(passes, rollouts - failures) as pass_rate_parsed_low,
  share_high(passes, rollouts - failures) as pass_rate_parsed_high,
  median_km_failures_20000,
  trace
from tried
where passes between 1 and rollouts - 1
  and rollouts >= $least
order by abs(pass_rate - 0.5), rollouts desc, dataset, sample_index, model, recipe
limit $most
