-- How many points the best of n rollouts brings, and what one more rollout buys for its tokens.
-- Grain: one row per recipe and n, from 1; over samples with at least n closed rollouts that have points
-- or are failures.
-- Parameters: the reward whose points count; the store's default where none is named.
--   rollouts  integer from 1 to 1000, default 8: the greatest n
-- Units: GeoGuessr points, 0 to 5000; tokens.
-- Columns:
--   samples            with at least n such rollouts
--   points             of the best of n, as the mean over the samples: expected over all choices of n of
--                      a sample's rollouts, so no order of them matters. A failure has 0 points.
--                      points_low, points_high: its 95 % interval (bootstrap over samples)
--   gain               by how much that is more than the best of n - 1 of the same samples, and its
--                      interval; for n = 1 it is points
--   tokens_per_rollout
--                      the mean over their rollouts whose tokens are known
--   gain_per_1000_tokens
--                      what one more rollout buys for each 1,000 tokens
--   samples_parsed, points_parsed, gain_parsed
--                      where failures are left out of the rollouts
-- Dialect: DuckDB, over the views of views.sql.
with
tried as (
  select
    recipe,
    model,
    with_tools,
    sample_id,
    total_tokens,
    failure,
    if(failure, coalesce(geoguessr_points, 0), geoguessr_points) as points
  from trace_results
  where failure or geoguessr_points is not null
),
-- Each rollout's place among those of its sample, the fewest points first; and among the parsed ones.
ranked as (
  select
    *,
    row_number() over (partition by recipe, sample_id, failure order by points) as parsed_place,
    count(*) over (partition by recipe, sample_id, failure) as parsed_rollouts,
    row_number() over (partition by recipe, sample_id order by points) as place,
    count(*) over (partition by recipe, sample_id) as rollouts
  from tried
),
-- The rollouts that stand alike, so that what follows is small.
alike as (
  select
    recipe, model, with_tools, bootstrap_group(sample_id) as part,
    false as parsed, place, rollouts,
    sum(points) as points, count(*) as samples, sum(total_tokens) as tokens,
    count(total_tokens) as counted
  from ranked
  group by recipe, model, with_tools, part, place, rollouts
  union all
  select
    recipe, model, with_tools, bootstrap_group(sample_id) as part,
    true as parsed, parsed_place, parsed_rollouts,
    sum(points) as points, count(*) as samples, null, 0
  from ranked
  where not failure
  group by recipe, model, with_tools, part, parsed_place, parsed_rollouts
),
-- How likely each is the best of n of its sample's rollouts, and of n - 1.
weighed as (
  select
    a.*,
    k.n,
    best_weight(a.place, k.n, a.rollouts) as weight,
    best_weight(a.place, k.n - 1, a.rollouts) as weight_before
  from alike as a
  join (select unnest(range(1, $rollouts + 1)) as n) as k on k.n <= a.rollouts
),
parts as (
  select
    recipe,
    model,
    with_tools,
    n,
    part,
    coalesce(sum(samples) filter (place = 1 and not parsed), 0) as samples,
    coalesce(sum(points * weight) filter (not parsed), 0) as points,
    coalesce(sum(points * (weight - weight_before)) filter (not parsed), 0) as gain,
    sum(tokens) as tokens,
    sum(counted) as counted,
    coalesce(sum(samples) filter (place = 1 and parsed), 0) as samples_parsed,
    sum(points * weight) filter (parsed) as points_parsed,
    sum(points * (weight - weight_before)) filter (parsed) as gain_parsed
  from weighed
  group by recipe, model, with_tools, n, part
),
summed as (
  select
    recipe,
    model,
    with_tools,
    n,
    sum(samples)::bigint as samples,
    sum(points) / sum(samples) as points,
    bootstrap(list(points order by part), list(samples order by part)) as points_interval,
    sum(gain) / sum(samples) as gain,
    bootstrap(list(gain order by part), list(samples order by part)) as gain_interval,
    sum(tokens) / nullif(sum(counted), 0) as tokens_per_rollout,
    sum(samples_parsed)::bigint as samples_parsed,
    sum(points_parsed) / nullif(sum(samples_parsed), 0) as points_parsed,
    sum(gain_parsed) / nullif(sum(samples_parsed), 0) as gain_parsed
  from parts
  group by recipe, model, with_tools, n
)
select
  recipe,
  model,
  with_tools,
  n,
  samples,
  points,
  points_interval.low as points_low,
  points_interval.high as points_high,
  gain,
  gain_interval.low as gain_low,
  gain_interval.high as gain_high,
  tokens_per_rollout,
  1000 * gain / nullif(tokens_per_rollout, 0) as gain_per_1000_tokens,
  samples_parsed,
  points_parsed,
  gain_parsed
from summed
order by model, with_tools desc, recipe, n
