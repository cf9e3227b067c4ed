-- How well the photos of each country are located.
-- Grain: as analytics/by_country, without medians and intervals, which SQLite has no function for.
-- Units: km; scores and shares from 0 to 1.
-- Dialect: SQLite, over the views of the schema.
select
  coalesce(t.country, 'unknown') as country,
  count(*) as traces,
  case when count(*) < 30 then 'n < 30' end as note,
  count(*) filter (where failure) as failures,
  avg(not failure) as parse_success_rate,
  count(distance_km_or_20000) as scored,
  avg(distance_km) as mean_km,
  avg(distance_km_or_20000) as mean_km_failures_20000,
  avg(case when failure then 0 else distance_km <= 25 end) as acc_25_km,
  avg(case when failure then 0 else distance_km <= 200 end) as acc_200_km,
  avg(case when failure then 0 else distance_km <= 750 end) as acc_750_km,
  avg(distance_km <= 25) as acc_25_km_parsed,
  avg(distance_km <= 200) as acc_200_km_parsed,
  avg(distance_km <= 750) as acc_750_km_parsed,
  avg(score) filter (where not failure) as mean_score,
  avg(score_or_0) as mean_score_failures_0
from trace_results as t
where status <> 'open'
group by coalesce(t.country, 'unknown')
order by 2 desc, 1
