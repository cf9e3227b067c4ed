-- How well the photos of each country are located.
-- Grain: one row per country, the one with the most traces first; over closed traces of all recipes.
-- Parameters: the reward whose scores count; the store's default where none is named. The distances of
-- the acc_*_km (--km); 25, 200 and 750 km where none is named.
-- Units: km; scores and shares from 0 to 1.
-- Columns: as in recipe_results of views.sql, but for
--   country  of the photo, as the dataset writes it; 'unknown' where it does not say
--   traces   closed traces, each failure among them
--   note     'n < 30' where so few traces say little: one of them changes a share by over 3 points
-- Every failure counts: as 20,000 km, as outside of each acc_*_km, and as score 0 unless the reward
-- gives it a score of its own.
-- Dialect: DuckDB, over the views of views.sql.
select
  coalesce(country, 'unknown') as country,
  count(*) as traces,
  if(count(*) < 30, 'n < 30', null) as note,
  avg((not failure)::integer) as parse_success_rate,
  avg(distance_km_or_20000) as mean_km_failures_20000,
  median(distance_km_or_20000) as median_km_failures_20000,
  avg(if(failure, 0, (distance_km <= 25)::integer)) as acc_25_km,
  avg(if(failure, 0, (distance_km <= 200)::integer)) as acc_200_km,
  avg(if(failure, 0, (distance_km <= 750)::integer)) as acc_750_km,
  avg(score_or_0) as mean_score_failures_0
from trace_outcomes
where status <> 'open'
group by coalesce(trace_outcomes.country, 'unknown')
order by traces desc, country
