-- A trace with its sample, newest answer and default reward; columns as in snapshot_traces.
-- Grain: one row. km, degrees, pixels. Dialect: SQLite.
select
  t.id, t.recipe_id, s.dataset_id, (select count(*) from datasets) as dataset_count,
  s.sample_index, r.sha256 as recipe_sha256, t.rollout, t.status, t.stop_reason, t.turn_limit,
  t.sent_sha256, t.sent_pixels_xxh128, t.sent_width, t.sent_height,
  s.lat, s.lon, s.locatability_score, s.country, s.columns, s.image_sha256, s.image_format,
  s.width, s.height, s.exclusion,
  a.parser_version, a.lat as answer_lat, a.lon as answer_lon, a.form, a.failure, a.flags,
  w.spec_id, w.distance_km, w.score, w.geoguessr_points, p.name as reward_spec
from traces as t
join samples as s on s.id = t.sample_id
join recipes as r on r.id = t.recipe_id
left join answers as a
  on a.trace_id = t.id
  and a.parser_version = (select max(parser_version) from answers where trace_id = t.id)
left join reward_specs as p on p.is_default = 1
left join rewards as w on w.trace_id = t.id and w.spec_id = p.id
where t.id = :trace_id
