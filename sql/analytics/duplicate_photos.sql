-- Samples that are the same photo, byte for byte: where each says that it is, and what was answered.
-- Grain: one row per such sample and trace of it, a sample without a trace once; the copies of a photo
-- together, those farthest apart first.
-- Parameters: the reward whose distances count; the store's default where none is named.
--   most  integer from 1 to 1000000000, default 1000: how many rows there are at most
-- Units: degrees, km on a sphere of radius 6371.0.
-- Columns:
--   photo        first 12 hex of the hash of the photo's bytes; copies: samples that have it
--   apart_km     the greatest distance of a copy from the first one: 0 where all say the same place
--   stands_for   the sample whose traces are this one's too, because it is the same photo at the same
--                place (generate --reuse): its dataset and row
--   exclusion    why the sample is not used; null where it is
--   trace, status, answer_*, distance_km
--                as in trace_results of views.sql; null where there is no trace
-- Dialect: DuckDB, over the views of views.sql.
with
copies as (
  select
    id,
    dataset_id,
    sample_index,
    lat,
    lon,
    image_sha256,
    exclusion,
    same_as,
    count(*) over of_photo as copies,
    km_between(lat, lon, first_value(lat) over of_photo, first_value(lon) over of_photo) as km
  from samples
  where image_sha256 is not null
  window of_photo as (
    partition by image_sha256 order by id rows between unbounded preceding and unbounded following
  )
  qualify copies > 1
),
measured as (
  select *, max(km) over (partition by image_sha256) as apart_km
  from copies
)
select
  left(c.image_sha256, 12) as photo,
  c.copies,
  c.apart_km,
  d.name as dataset,
  c.sample_index,
  c.lat,
  c.lon,
  if(s.id is null, null, format('{} {}', e.name, s.sample_index)) as stands_for,
  c.exclusion,
  t.trace,
  t.status,
  t.answer_lat,
  t.answer_lon,
  t.distance_km
from measured as c
join datasets as d on d.id = c.dataset_id
left join samples as s on s.id = c.same_as
left join datasets as e on e.id = s.dataset_id
left join trace_results as t on t.sample_id = c.id
order by c.apart_km desc, c.image_sha256, d.name, c.sample_index, t.recipe, t.rollout
limit $most
