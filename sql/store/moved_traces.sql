-- Names and distances of some traces.
-- Grain: one row per trace. :trace_ids is a JSON array. km; null without an answer.
-- Dialect: SQLite.
select
  t.id as trace_id,
  iif((select count(*) from datasets) > 1, n.name || ':', '')
    || s.sample_index || '-' || substr(r.sha256, 1, 8) || '-' || t.rollout as trace,
  w.distance_km
from json_each(:trace_ids) as j
join traces as t on t.id = j.value
join samples as s on s.id = t.sample_id
join datasets as n on n.id = s.dataset_id
join recipes as r on r.id = t.recipe_id
left join rewards as w on w.spec_id = :spec_id and w.trace_id = t.id
