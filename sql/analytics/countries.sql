-- How well photos of each country are located, by where their coordinates are.
-- Grain: one row per true country, the one with the most traces first; over closed traces whose photo's
-- place is known (geostore rescore computes it). by_country groups by the dataset's own words.
-- Parameters: the reward whose distances count; the store's default where none is named.
--   km       number from 0, default 200: the distance within which an answer is right
--   least    integer from 1, default 1: leave out countries with fewer traces
-- Units: km; shares from 0 to 1; GeoGuessr points from 0 to 5000.
-- Columns:
--   country         ISO code
--   traces, photos  closed traces that have a distance or are failures, and of how many samples
--   failures        those of them without coordinates
--   acc             share within the distance, with its interval; a failure is a miss
--   in_country      share of the answers that lie in the country, a failure is a miss, with its interval;
--                   placed: of so many traces
--   median_km_failures_20000, median_km
--                   with each failure as 20,000 km, and with failures left out
--   mean_points_failures_0
--                   GeoGuessr points with each failure as 0
-- Dialect: DuckDB, over the views of views.sql.
with measured as (
  select
    true_country as country,
    sample_id,
    failure,
    distance_km,
    distance_km_or_20000,
    geoguessr_points,
    country_correct_or_0 as is_there,
    coalesce(distance_km_or_20000 <= $km and not failure, false) as hit
  from trace_results
  where status <> 'open' and true_country is not null and (failure or distance_km is not null)
)
select
  country,
  count(*) as traces,
  count(distinct sample_id) as photos,
  count(*) filter (failure) as failures,
  count(*) filter (hit) / count(*) as acc,
  share_low(count(*) filter (hit), count(*)) as acc_low,
  share_high(count(*) filter (hit), count(*)) as acc_high,
  count(is_there) as placed,
  avg(is_there) as in_country,
  share_low(sum(is_there), count(is_there)) as in_country_low,
  share_high(sum(is_there), count(is_there)) as in_country_high,
  median(distance_km_or_20000) as median_km_failures_20000,
  median(distance_km) filter (not failure) as median_km,
  avg(if(failure, 0, geoguessr_points)) as mean_points_failures_0
from measured
group by country
having count(*) >= $least
order by traces desc, country
