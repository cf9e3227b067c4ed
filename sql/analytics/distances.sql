-- How far off answers are: traces by distance, in bins that grow with it, with and without tools.
-- Grain: one row per kind of recipe and bin that holds a trace, and one for the closed traces without
-- coordinates, whose bounds are null. A bin holds its lower bound and not its upper one; there are four for
-- each power of ten, from 10 m on, and the first begins at 0.
-- Parameters: the reward whose distances count; the store's default where none is named.
-- Units: km; shares from 0 to 1.
-- Columns:
--   with_tools         as in trace_results
--   from_km, to_km     bounds of the bin
--   traces, of         traces in it, of so many that are measured or failures
--   share              traces / of, with share_low and share_high
-- Dialect: DuckDB, over the views of views.sql.
with
measured as (
  select
    with_tools,
    if(failure, null, distance_km) as km,
    if(failure, null, if(distance_km < 0.01, -9, floor(4 * log10(distance_km) + 1e-9)))::integer as bin
  from trace_results
  where status <> 'open' and (failure or distance_km is not null)
),
binned as (
  select with_tools, bin, count(*) as traces
  from measured
  group by with_tools, bin
)
select
  with_tools,
  case when bin = -9 then 0 when bin is not null then 10 ** (bin / 4) end as from_km,
  if(bin is null, null, 10 ** ((bin + 1) / 4)) as to_km,
  traces,
  sum(traces) over kinds::bigint as "of",
  traces / sum(traces) over kinds as share,
  share_low(traces, sum(traces) over kinds) as share_low,
  share_high(traces, sum(traces) over kinds) as share_high
from binned
window kinds as (partition by with_tools)
order by with_tools desc, bin nulls last
