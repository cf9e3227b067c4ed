-- The numbers of a batch at a glance, each with how many it is of and an interval.
-- Grain: one row per number, in reading order; over closed traces.
-- Parameters: the reward whose scores count; the store's default where none is named.
-- Units: as the column unit says: traces, photos, km, share (0 to 1), points (0 to 5000), turns, calls,
-- tokens, or cost (in the currency of the prices).
-- Columns:
--   number     what it is; failures count as 20,000 km, as misses, as 0 points and as not accepted
--              unless it says otherwise
--   value      null where nothing is known, such as a cost without prices
--   low, high  a 95 % interval for the traces that one could have drawn instead: Wilson's of a share,
--              order statistics of a median, the normal one of a mean; null where none is meant
--   n          of how many traces it is
-- Dialect: DuckDB, over the views of views.sql.
with
closed as (
  select
    sample_id, failure, distance_km, distance_km_or_20000, score_or_0, geoguessr_points, turns,
    tool_calls, total_tokens, cost
  from trace_results
  where status <> 'open'
),
sums as (
  select
    count(*) as n,
    count(distinct sample_id) as photos,
    count(*) filter (not failure) as parsed,
    count(distance_km_or_20000) as measured,
    count(*) filter (distance_km_or_20000 <= 25) as within_25,
    count(*) filter (distance_km_or_20000 <= 200) as within_200,
    count(*) filter (distance_km_or_20000 <= 750) as within_750,
    count(score_or_0) as scored,
    count(*) filter (is_accepted(score_or_0)) as accepted,
    list_sort(list(distance_km) filter (distance_km is not null)) as distances,
    list_sort(list(distance_km_or_20000) filter (distance_km_or_20000 is not null)) as all_distances,
    avg(if(failure, 0, geoguessr_points)) as points,
    stddev_samp(if(failure, 0, geoguessr_points))
      / sqrt(count(if(failure, 0, geoguessr_points))) as points_error,
    count(if(failure, 0, geoguessr_points)) as pointed,
    avg(turns) as turns,
    stddev_samp(turns) / sqrt(count(*)) as turns_error,
    avg(tool_calls) as calls,
    stddev_samp(tool_calls) / sqrt(count(*)) as calls_error,
    avg(total_tokens) as tokens,
    stddev_samp(total_tokens) / sqrt(count(total_tokens)) as tokens_error,
    count(total_tokens) as counted,
    sum(cost) as cost,
    count(cost) as priced,
    sum(cost) / nullif(count(cost) filter (is_accepted(score_or_0)), 0) as cost_per_accepted,
    count(cost) filter (is_accepted(score_or_0)) as priced_accepted
  from closed
),
-- Places in a sorted list between which its median lies with 95 %: half of n, and 0.98 times the root
-- of n to either side. Source: binomial(n, 1/2) has a deviation of root n / 2.
medians as (
  select
    unnest(['median distance, failures left out', 'median distance']) as number,
    unnest([distances, all_distances]) as sorted
  from sums
),
numbers as (
  select 1 as place, 'closed traces' as number, n::double as value, null::double as low,
    null::double as high, n, 'traces' as unit
  from sums
  union all
  select 2, 'photos', photos, null, null, n, 'photos'
  from sums
  union all
  select 3, 'with coordinates', parsed / nullif(n, 0), share_low(parsed, n), share_high(parsed, n), n, 'share'
  from sums
  union all
  select
    if(number = 'median distance', 4, 5),
    number,
    list_median(sorted),
    sorted[greatest(1, floor(len(sorted) / 2 - 0.98 * sqrt(len(sorted))))::bigint],
    sorted[least(len(sorted), ceil(len(sorted) / 2 + 1 + 0.98 * sqrt(len(sorted))))::bigint],
    coalesce(len(sorted), 0),
    'km'
  from medians
  union all
  select 6, 'within 25 km', within_25 / nullif(measured, 0), share_low(within_25, measured),
    share_high(within_25, measured), measured, 'share'
  from sums
  union all
  select 7, 'within 200 km', within_200 / nullif(measured, 0), share_low(within_200, measured),
    share_high(within_200, measured), measured, 'share'
  from sums
  union all
  select 8, 'within 750 km', within_750 / nullif(measured, 0), share_low(within_750, measured),
    share_high(within_750, measured), measured, 'share'
  from sums
  union all
  select 9, 'mean GeoGuessr points', points, points - 1.96 * points_error, points + 1.96 * points_error,
    pointed, 'points'
  from sums
  union all
  select 10, 'accepted', accepted / nullif(scored, 0), share_low(accepted, scored),
    share_high(accepted, scored), scored, 'share'
  from sums
  union all
  select 11, 'turns per trace', turns, turns - 1.96 * turns_error, turns + 1.96 * turns_error, n, 'turns'
  from sums
  union all
  select 12, 'tool calls per trace', calls, calls - 1.96 * calls_error, calls + 1.96 * calls_error, n,
    'calls'
  from sums
  union all
  select 13, 'tokens per trace', tokens, tokens - 1.96 * tokens_error, tokens + 1.96 * tokens_error,
    counted, 'tokens'
  from sums
  union all
  select 14, 'cost', cost, null, null, priced, 'cost'
  from sums
  union all
  select 15, 'cost per accepted trace', cost_per_accepted, null, null, priced_accepted, 'cost'
  from sums
)
select number, value, low, high, n, unit
from numbers
order by place
