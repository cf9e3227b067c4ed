-- Whether hard photos make the teacher use its tools, and how far off it is with and without them.
-- Grain: one row per band of locatability and kind of recipe, with or without tools; over closed
-- traces. A band holds its lower bound and not its upper one.
-- Parameters: the reward whose scores count; the store's default where none is named.
-- Units: km; shares from 0 to 1; locatability from 0 (hard) to 1 (easy).
-- Columns:
--   share_using_tools       share of traces with a call; mean_calls: calls per trace
--   mean_km                 of the traces that have a distance
--   mean_km_failures_20000  the same with each failure as 20,000 km
-- Dialect: DuckDB, over the views of views.sql.
with banded as (
  select
    *,
    case
      when locatability_score is null then 'unknown'
      when locatability_score < 0.2 then '<0.2'
      when locatability_score < 0.4 then '0.2-0.4'
      when locatability_score < 0.6 then '0.4-0.6'
      else '>=0.6'
    end as locatability,
    coalesce(locatability_score, 2) as difficulty
  from trace_outcomes
  where status <> 'open'
)
select
  locatability,
  with_tools,
  count(*) as traces,
  avg((tool_calls > 0)::integer) as share_using_tools,
  avg(tool_calls) as mean_calls,
  avg(distance_km) as mean_km,
  avg(distance_km_or_20000) as mean_km_failures_20000,
  count(*) filter (failure) as failures
from banded
group by locatability, with_tools
order by min(difficulty), locatability, with_tools desc
