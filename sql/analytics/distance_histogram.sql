-- How distances are spread, in bins of equal factors, for each country and for all.
-- Grain: one row per country and bin that holds an answer, the nearest first; '(all)' before the countries,
-- and the country with the most traces first. A bin holds its lower bound and not its upper one. A
-- country's last row is of traces without coordinates, if there are any.
-- Parameters: the reward whose distances count; the store's default where none is named.
--   least  integer from 1, default 30: how many traces a country needs to have rows of its own
--   bins   integer from 1 to 100, default 4: into how many bins each factor of ten is cut
-- Units: km; shares from 0 to 1.
-- Columns:
--   country         of the photo, as the dataset writes it; 'unknown' where it does not say
--   from_km, to_km  bounds of the bin; all below 0.1 km are one bin; null for traces without coordinates
--   answers         closed traces in the bin
--   traces          of the country, each failure among them; traces without a distance yet are left out
--   share           answers of traces, with its 95 % interval (Wilson)
--   share_parsed    answers of those traces that have coordinates, likewise; null for those that have none
-- Dialect: DuckDB, over the views of views.sql.
with
binned as (
  select
    coalesce(country, 'unknown') as country,
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
  select country, bin, sum(answers) as answers, grouping(country) as all_countries
  from binned
  group by grouping sets ((country, bin), (bin))
),
totals as (
  select
    *,
    sum(answers) over (partition by all_countries, country) as traces,
    sum(answers) filter (bin is not null) over (partition by all_countries, country) as parsed
  from counted
)
select
  if(all_countries = 1, '(all)', country) as country,
  if(bin < -$bins, 0, 10 ** (bin / $bins)) as from_km,
  10 ** ((bin + 1) / $bins) as to_km,
  answers::bigint as answers,
  traces::bigint as traces,
  answers / traces as share,
  share_low(answers, traces) as share_low,
  share_high(answers, traces) as share_high,
  if(bin is null, null, answers / parsed) as share_parsed,
  if(bin is null, null, share_low(answers, parsed)) as share_parsed_low,
  if(bin is null, null, share_high(answers, parsed)) as share_parsed_high
from totals
where all_countries = 1 or traces >= $least
order by all_countries desc, traces desc, totals.country, bin nulls last
