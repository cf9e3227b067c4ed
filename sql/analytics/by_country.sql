-- How well the photos of each country are located.
-- Grain: one row per country, the one with the most traces first; over closed traces of all recipes.
-- Parameters: the reward whose scores count; the store's default where none is named. The distances of
-- the acc_*_km (--km); 25, 200 and 750 km where none is named.
--   least  integer from 1, default 1: how many closed traces a country needs to have a row
-- Units: km; scores and shares from 0 to 1.
-- Columns: as in recipe_results of views.sql, but for
--   country  of the photo, as the dataset writes it; 'unknown' where it does not say
--   traces   closed traces, each failure among them; scored: those that have a distance or are failures
--   note     'n < 30' where so few traces say little: one of them changes a share by over 3 points
--   acc_*_km
--            the share of scored that is within the distance; *_parsed: failures are left out
--   *_low, *_high
--            the 95 % interval of a share (Wilson)
-- With *_failures_20000, *_failures_0 and without *_parsed every failure counts: as 20,000 km, as
-- outside of each acc_*_km, and as score 0 unless the reward gives it a score of its own.
-- Dialect: DuckDB, over the views of views.sql.
select
  coalesce(country, 'unknown') as country,
  count(*) as traces,
  if(count(*) < 30, 'n < 30', null) as note,
  count(*) filter (failure) as failures,
  avg((not failure)::integer) as parse_success_rate,
  share_low(count(*) filter (not failure), count(*)) as parse_success_rate_low,
  share_high(count(*) filter (not failure), count(*)) as parse_success_rate_high,
  count(distance_km_or_20000) as scored,
  avg(distance_km) as mean_km,
  median(distance_km) as median_km,
  avg(distance_km_or_20000) as mean_km_failures_20000,
  median(distance_km_or_20000) as median_km_failures_20000,
  avg(if(failure, 0, (distance_km <= 25)::integer)) as acc_25_km,
  avg(if(failure, 0, (distance_km <= 200)::integer)) as acc_200_km,
  avg(if(failure, 0, (distance_km <= 750)::integer)) as acc_750_km,
  share_low(count(*) filter (distance_km <= 25), count(distance_km_or_20000)) as acc_25_km_low,
  share_low(count(*) filter (distance_km <= 200), count(distance_km_or_20000)) as acc_200_km_low,
  share_low(count(*) filter (distance_km <= 750), count(distance_km_or_20000)) as acc_750_km_low,
  share_high(count(*) filter (distance_km <= 25), count(distance_km_or_20000)) as acc_25_km_high,
  share_high(count(*) filter (distance_km <= 200), count(distance_km_or_20000)) as acc_200_km_high,
  share_high(count(*) filter (distance_km <= 750), count(distance_km_or_20000)) as acc_750_km_high,
  avg((distance_km <= 25)::integer) as acc_25_km_parsed,
  avg((distance_km <= 200)::integer) as acc_200_km_parsed,
  avg((distance_km <= 750)::integer) as acc_750_km_parsed,
  share_low(count(*) filter (distance_km <= 25), count(distance_km)) as acc_25_km_parsed_low,
  share_low(count(*) filter (distance_km <= 200), count(distance_km)) as acc_200_km_parsed_low,
  share_low(count(*) filter (distance_km <= 750), count(distance_km)) as acc_750_km_parsed_low,
  share_high(count(*) filter (distance_km <= 25), count(distance_km)) as acc_25_km_parsed_high,
  share_high(count(*) filter (distance_km <= 200), count(distance_km)) as acc_200_km_parsed_high,
  share_high(count(*) filter (distance_km <= 750), count(distance_km)) as acc_750_km_parsed_high,
  avg(score) filter (not failure) as mean_score,
  avg(score_or_0) as mean_score_failures_0
from trace_results as t
where status <> 'open'
group by coalesce(t.country, 'unknown')
having count(*) >= $least
order by traces desc, country
