-- Trace files that were imported.
-- Dialect: SQLite. A name in double braces stands for the part of that name.

-- name: find_import
-- The bytes that were imported from this path, and the trace that was imported from these bytes.
-- Grain: one row.
select
  (select sha256 from imports where path = :path) as path_sha256,
  (select variant from imports where sha256 = :sha256 limit 1) as variant,
  (select trace_id from imports where sha256 = :sha256 limit 1) as trace_id;

-- name: find_import_paths
-- The files that held the same bytes.
-- Grain: one row per file.
select path
from imports
where sha256 = :sha256;

-- name: find_imports
-- Of some files, those that were imported, with their stamps when they were read.
-- Grain: one row per file. :paths is a JSON array. is_seen: whether their trace's dataset was opened.
select i.path, i.stamp, d.fingerprint is not null as is_seen
from imports as i
join traces as t on t.id = i.trace_id
join samples as s on s.id = t.sample_id
join datasets as d on d.id = s.dataset_id
where i.path in (select value from json_each(:paths));

-- name: put_import
-- Records that a trace file is in the store.
-- Grain: one row per file.
insert into imports (path, sha256, stamp, variant, stated_index, trace_id, created_at)
values (:path, :sha256, :stamp, :variant, :stated_index, :trace_id, :now)
on conflict (path) do update
  set stamp = excluded.stamp
  where sha256 = excluded.sha256;

-- name: find_rollouts
-- The traces of a recipe on a sample.
-- Grain: one row per rollout, in order.
select id, status
from traces
where sample_id = :sample_id and recipe_id = :recipe_id
order by rollout;

-- name: next_rollout
-- The first rollout of a recipe on a sample after all there are.
-- Grain: one row.
select max(rollout) + 1 as rollout
from traces
where sample_id = :sample_id and recipe_id = :recipe_id;

-- name: is_moved
-- Whether every file of an imported trace names another row than its sample's.
-- Grain: one row.
select count(*) > 0 and count(s.id) = 0 as is_moved
from imports as i
join traces as t on t.id = i.trace_id
-- The photo may be a row of other datasets, too.
left join samples as s
  on (s.id = t.sample_id or s.same_as = t.sample_id) and s.sample_index = i.stated_index
where i.trace_id = :trace_id;

-- name: put_imported_trace
-- Records a trace that a file holds; it is closed.
-- Grain: one row per sample x recipe x rollout. Sent size in pixels.
insert into traces (
  sample_id, recipe_id, rollout, status, stop_reason, turn_limit,
  sent_sha256, sent_pixels_xxh128, sent_width, sent_height, created_at, closed_at
)
values (
  :sample_id, :recipe_id, :rollout, :status, :stop_reason, :turn_limit,
  :sent_sha256, :sent_pixels_xxh128, :sent_width, :sent_height, :now, :now
)
returning id;

-- name: put_imported_reward
-- Records the reward that a trace file carries; parser version 0: no parser of geostore read it.
-- Grain: one row per trace and spec. km; points 0..5000.
insert or ignore into rewards (
  trace_id, spec_id, parser_version, distance_km, score, geoguessr_points, extra
)
values (:trace_id, :spec_id, 0, :distance_km, :score, :geoguessr_points, :extra);
