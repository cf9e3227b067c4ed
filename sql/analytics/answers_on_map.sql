-- From the true place to the answered one: the worst answers, and a sample of the others.
-- Grain: one row per closed trace with coordinates and a distance, the worst first, then the sample in
-- an order that looks random and is the same every time.
-- Parameters: the reward whose scores count; the store's default where none is named.
--   most     integer from 1 to 1000000000, default 2000: the most rows; the worst among them are a
--            tenth of all answers, but at most half of the rows
-- Units: degrees, km; scores from 0 to 1.
-- Columns: as in trace_results of views.sql, but for
--   country  of the true place, as ISO code, or as the dataset writes it
--   chosen   worst or sample
--   of       how many such traces there are in all
-- Dialect: DuckDB, over the views of views.sql.
with
answered as (
  select
    trace_id, trace, lat, lon, answer_lat, answer_lon, distance_km, score,
    coalesce(true_country, country) as country,
    -- Looks random; the same for the same store.
    trace_id * 2654435761 % 4294967296 as draw
  from trace_results
  where status <> 'open' and not failure and distance_km is not null and answer_lat is not null
),
worst as (
  select *, 'worst' as chosen
  from answered
  order by distance_km desc, trace_id
  limit (select least($most // 2, ceil(count(*) / 10))::bigint from answered)
),
sample as (
  select *, 'sample' as chosen
  from answered
  where trace_id not in (select trace_id from worst)
  order by draw, trace_id
  limit (select $most - count(*) from worst)
)
select
  trace,
  lat,
  lon,
  answer_lat,
  answer_lon,
  distance_km,
  score,
  country,
  chosen,
  (select count(*) from answered) as "of"
from (select * from worst union all select * from sample)
order by chosen = 'sample', if(chosen = 'worst', -distance_km, draw), trace_id
