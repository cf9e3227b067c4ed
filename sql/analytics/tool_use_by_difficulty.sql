-- Whether hard photos make the teacher use its tools, and how near it comes with and without them.
-- Grain: one row per tenth of locatability and kind of recipe, with or without tools, the hardest first;
-- over closed traces.
-- Parameters: the reward whose distances count; the store's default where none is named.
--   km  number from 0, default 25: the distance within which an answer is right
-- Units: km; shares from 0 to 1; locatability from 0 (hard) to 1 (easy).
-- Columns:
--   decile                  1 the hardest, below 0.1; null where locatability is not known
--   locatability            bounds of the tenth, of which it holds the lower one; 'unknown'
--   traces                  closed ones; failures: those of them without coordinates
--   share_using_tools       traces with a call, of traces, with its 95 % interval (Wilson)
--   mean_calls              calls for each trace; failed_calls_share: calls without a result, of all calls,
--                           with its interval, as if no call had to do with another
--   acc                     the share of right answers of the traces that have a distance or are failures
--                           (scored), a failure being a miss, with its interval; acc_parsed, likewise:
--                           failures are left out
--   mean_km                 of the traces that have a distance
--   mean_km_failures_20000  the same with each failure as 20,000 km
-- Dialect: DuckDB, over the views of views.sql.
with counted as (
  select
    decile(locatability_score) as decile,
    with_tools,
    count(*) as traces,
    count(*) filter (failure) as failures,
    count(*) filter (tool_calls > 0) as using_tools,
    avg(tool_calls) as mean_calls,
    sum(tool_calls) as calls,
    sum(failed_tool_calls) as failed_calls,
    count(distance_km_or_20000) as scored,
    count(distance_km) filter (not failure) as parsed,
    count(*) filter (not failure and distance_km <= $km) as hits,
    avg(distance_km) as mean_km,
    avg(distance_km_or_20000) as mean_km_failures_20000
  from trace_results
  where status <> 'open'
  group by decile, with_tools
)
select
  decile,
  coalesce(bin_name(decile, 10), 'unknown') as locatability,
  with_tools,
  traces,
  using_tools / traces as share_using_tools,
  share_low(using_tools, traces) as share_using_tools_low,
  share_high(using_tools, traces) as share_using_tools_high,
  mean_calls,
  calls::bigint as calls,
  failed_calls / nullif(calls, 0) as failed_calls_share,
  share_low(failed_calls, calls) as failed_calls_share_low,
  share_high(failed_calls, calls) as failed_calls_share_high,
  scored,
  hits / nullif(scored, 0) as acc,
  share_low(hits, scored) as acc_low,
  share_high(hits, scored) as acc_high,
  hits / nullif(parsed, 0) as acc_parsed,
  share_low(hits, parsed) as acc_parsed_low,
  share_high(hits, parsed) as acc_parsed_high,
  mean_km,
  mean_km_failures_20000,
  failures
from counted
order by decile nulls last, with_tools desc
