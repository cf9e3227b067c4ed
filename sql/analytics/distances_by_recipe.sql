-- How distances are spread, in bins of equal factors, for each recipe and for the store.
-- Grain: one row per recipe and bin that holds an answer, the nearest first; the store, whose recipe is
-- null, before the recipes. A bin holds its lower bound and not its upper one. The last row of each is of
-- traces without coordinates, if there are any.
-- Parameters: the reward whose distances count; the store's default where none is named.
--   bins   integer from 1 to 100, default 4: into how many bins each factor of ten is cut
-- Units: km; shares from 0 to 1.
-- Columns:
--   recipe          as in trace_results; null for the store
--   from_km, to_km  bounds of the bin; all below 0.1 km are one bin; null for traces without coordinates
--   answers         closed traces in the bin
--   traces          of the recipe, each failure among them; traces without a distance yet are left out
--   share           answers of traces, with its 95 % interval (Wilson)
-- Dialect: DuckDB, over the views of views.sql.
with
binned as (
  select
    recipe,
    -- The number of the bin whose lower bound is 10 ** (bin / bins) km.
    case
      when failure then null
      when distance_km < 0.1 then -$bins - 1
      else floor(log10(distance_km) * $bins + 1e-9)
    end::integer as bin,
    count(*) as answers
  from trace_results
  where failure or distance_km is not null
  group by all
),
counted as (
  select recipe, bin, sum(answers) as answers
  from binned
  group by grouping sets ((recipe, bin), (bin))
),
totals as (
  select *, sum(answers) over (partition by recipe) as traces
  from counted
)
select
  recipe,
  if(bin < -$bins, 0, 10 ** (bin / $bins)) as from_km,
  10 ** ((bin + 1) / $bins) as to_km,
  answers::bigint as answers,
  traces::bigint as traces,
  answers / traces as share,
  share_low(answers, traces) as share_low,
  share_high(answers, traces) as share_high
from totals
order by recipe nulls first, bin nulls last
