-- How the distances that imported trace files carry compare with those that geostore computes.
-- Grain: one row per imported recipe: its hash, model and label. geostore's distances are those of the
-- newest reading, on a sphere of 6371 km, whatever reward is chosen.
-- Parameters: none.
-- Units: km; counts of traces.
-- Columns:
--   parsed_by_both, parsed_by_file, parsed_by_us
--                   traces with coordinates: in both, only in the file, only as geostore reads them;
--                   the rest has none in either
--   differ_by_a_km  parsed by both, and the distances are 1 km or more apart
--   max_apart_km    the greatest difference between them
-- Dialect: DuckDB, over the views of views.sql.
with
in_files as (
  select w.trace_id, w.distance_km
  from rewards as w
  join reward_specs as p on p.id = w.spec_id
  where p.kind = 'imported'
),
-- Not distance_km of trace_results, which is the file's own where the reward imported is chosen.
read_here as (
  select
    trace_id,
    km_between(answer_lat, answer_lon, lat, lon) as distance_km
  from trace_results
)
select
  left(r.sha256, 8) as recipe,
  r.model,
  json_extract_string(r.imported, '$.label') as label,
  count(*) as traces,
  count(*) filter (f.distance_km is not null and t.distance_km is not null) as parsed_by_both,
  count(*) filter (f.distance_km is not null and t.distance_km is null) as parsed_by_file,
  count(*) filter (f.distance_km is null and t.distance_km is not null) as parsed_by_us,
  count(*) filter (abs(f.distance_km - t.distance_km) >= 1) as differ_by_a_km,
  max(abs(f.distance_km - t.distance_km)) as max_apart_km
from in_files as f
left join read_here as t on t.trace_id = f.trace_id
join traces as k on k.id = f.trace_id
join recipes as r on r.id = k.recipe_id
group by r.sha256, r.model, r.imported
order by r.model, label, recipe
