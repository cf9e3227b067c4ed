-- What each photo came to, over all its rollouts: for comparing two parts of a store, or two stores.
-- Grain: one row per photo and true place, whatever rows of datasets hold it; over closed traces that have a
-- distance or are failures.
-- Parameters: the reward whose distances count; the store's default where none is named.
-- Units: degrees, km; GeoGuessr points from 0 to 5000.
-- Columns:
--   photo        sha256 of the photo's stored bytes
--   lat, lon     the truth
--   sample       dataset and row number of the first of its rows
--   traces       how many traces; failures: those of them without coordinates
--   mean_points  GeoGuessr points, each failure as 0
--   mean_km      each failure as 20,000 km
-- Dialect: DuckDB, over the views of views.sql.
select
  s.image_sha256 as photo,
  t.lat,
  t.lon,
  min_by(t.dataset || ':' || t.sample_index, t.sample_id) as sample,
  count(*) as traces,
  count(*) filter (t.failure) as failures,
  avg(if(t.failure, 0, t.geoguessr_points)) as mean_points,
  avg(t.distance_km_or_20000) as mean_km
from trace_results as t
join samples as s on s.id = t.sample_id
where t.status <> 'open'
  and (t.failure or t.distance_km is not null)
  and s.image_sha256 is not null
group by s.image_sha256, t.lat, t.lon
order by photo, t.lat, t.lon
