-- The traces of a dataset that a filter keeps, each with its sample, newest answer and a reward.
-- Grain: one row per trace, by row number, recipe and rollout. Each parameter may be null: no such
-- condition. :statuses is a JSON array; :min_score keeps scores from there on, :max_distance_km
-- smaller distances (km), and either leaves out what could not be parsed; :recipe is the start of a
-- recipe's hash; :spec_id is the reward's spec; :exclude_flags is a JSON array of checks whose traces
-- are left out; :with_turns 1 leaves out traces without a response. Dialect: SQLite.
select
  t.id, s.sample_index, t.recipe_id, r.sha256 as recipe_sha256, t.rollout, t.status, t.stop_reason,
  t.turn_limit, t.sent_sha256, t.sent_pixels_xxh128, t.sent_width, t.sent_height,
  s.lat, s.lon, s.locatability_score, s.country, s.columns, s.image_sha256, s.image_format,
  s.width, s.height, s.exclusion,
  a.parser_version, a.lat as answer_lat, a.lon as answer_lon, a.form, a.failure, a.flags,
  w.spec_id, w.distance_km, w.score, w.geoguessr_points, p.name as reward_spec
from samples as s
-- A cross join keeps this order of loops, in which rows come sorted from the indexes.
cross join traces as t on t.sample_id = s.id
join recipes as r on r.id = t.recipe_id
left join answers as a
  on a.trace_id = t.id
  and a.parser_version = (select max(parser_version) from answers where trace_id = t.id)
left join reward_specs as p on p.id = :spec_id
left join rewards as w on w.trace_id = t.id and w.spec_id = p.id
where s.dataset_id = :dataset_id
  and (:statuses is null or t.status in (select value from json_each(:statuses)))
  and (:with_turns = 0 or exists (select 1 from turns where trace_id = t.id))
  and (:recipe is null or substr(r.sha256, 1, length(:recipe)) = :recipe)
  and (:min_score is null or (w.score >= :min_score and a.failure is null))
  and (:max_distance_km is null or (w.distance_km < :max_distance_km and a.failure is null))
  and (:exclude_flags is null or not exists (
    select 1
    from trace_flags
    where trace_id = t.id and flag in (select value from json_each(:exclude_flags))
  ))
order by s.sample_index, r.sha256, t.rollout
