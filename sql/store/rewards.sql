-- Reward specs; rewards written one by one, counted and compared.
-- Dialect: SQLite. A name in double braces stands for the part of that name.

-- name: put_reward_spec
-- Records a reward spec; one that is known stays as it is.
-- Grain: one row per spec.
insert or ignore into reward_specs (sha256, name, kind, parameters, code_version, created_at)
values (:sha256, :name, :kind, :parameters, :code_version, :now);

-- name: find_reward_specs
-- The reward specs that a name, or the start of a hash, may mean.
-- Grain: one row per spec, the oldest first. :name is compared whole with names and with the starts
-- of hashes; null finds all. :default 1 finds the default alone.
select id, sha256, name, kind, parameters, code_version, is_default, created_at
from reward_specs
where (:name is null or name = :name or substr(sha256, 1, length(:name)) = :name)
  and (:default = 0 or is_default = 1)
order by id;

-- name: rename_reward_spec
-- Gives a reward spec another name.
-- Grain: one row.
update reward_specs
set name = :name
where id = :spec_id;

-- name: delete_rewards
-- Removes the rewards of a reward spec.
-- Grain: one row per trace that has one.
delete from rewards
where spec_id = :spec_id;

-- name: has_scores
-- Whether any trace has a score of a reward spec.
-- Grain: one row; 0 or 1.
select exists (select 1 from rewards where spec_id = :spec_id and score is not null) as has_scores;

-- name: delete_reward_spec
-- Removes a reward spec, after its rewards.
-- Grain: one row.
delete from reward_specs
where id = :spec_id;

-- name: make_reward_spec_default
-- Makes a reward spec the store's default where the store has none.
-- Grain: at most one row.
update reward_specs
set is_default = 1
where id = :spec_id
  and not exists (select 1 from reward_specs where is_default = 1);

-- name: clear_default_reward_spec
-- Takes the default away from a reward spec, so that another can get it.
-- Grain: at most one row.
update reward_specs
set is_default = 0
where is_default = 1;

-- name: set_default_reward_spec
-- Makes a reward spec the store's default, after clear_default_reward_spec.
-- Grain: one row.
update reward_specs
set is_default = 1
where id = :spec_id;

-- name: get_reward
-- A trace's reward under one spec.
-- Grain: at most one row. km; points 0..5000.
select distance_km, score, geoguessr_points
from rewards
where trace_id = :trace_id and spec_id = :spec_id;

-- name: put_reward
-- Records a score that was computed outside of SQLite, if its answer is still there.
-- Grain: one row per trace of temp.pending and spec. km; points 0..5000, both as in rescore_traces.
-- :turn is the response it was computed from. :again 1 replaces any reward, 0 only one from an
-- earlier answer.
insert into rewards (
  spec_id, trace_id, parser_version, distance_km, score, geoguessr_points, extra
)
select
  :spec_id, trace_id, parser_version, km, :score,
  cast(round(5000 * exp(-km / 1492.7)) as integer), :extra
from (
  select
    trace_id, parser_version,
    (select json_extract(parameters, '$.radius') from reward_specs where id = :spec_id) * angle as km
  from temp.pending_angles
  where trace_id = :trace_id and parser_version = :parser_version
)
where :turn = (select max(turn) from turns where trace_id = :trace_id)
on conflict (spec_id, trace_id) do update
  set parser_version = excluded.parser_version,
      distance_km = excluded.distance_km,
      score = excluded.score,
      geoguessr_points = excluded.geoguessr_points,
      extra = excluded.extra
  where rewards.parser_version < excluded.parser_version or :again;

-- name: count_rewards_by_spec
-- The rewards of each reward spec.
-- Grain: one row per spec that has a reward. scored: rewards with a score. failed: rewards whose
-- custom function failed.
select
  spec_id,
  count(*) as rewards,
  count(score) as scored,
  count(*) filter (where score is null and json_extract(extra, '$.error') is not null) as failed
from rewards
group by spec_id;

-- name: scores_of_spec
-- All rewards of a reward spec.
-- Grain: one row per trace, by id. score: null where it is not known. parser_version: of the answer
-- that was scored; 0: of a trace file's own.
select trace_id, score, parser_version
from rewards
where spec_id = :spec_id
order by trace_id;

-- name: moved_traces
-- Names and distances of some traces.
-- Grain: one row per trace. :trace_ids is a JSON array. km; null without an answer.
select
  t.id as trace_id,
  {{trace_name}} as trace,
  w.distance_km
from json_each(:trace_ids) as j
join traces as t on t.id = j.value
join samples as s on s.id = t.sample_id
join datasets as n on n.id = s.dataset_id
join recipes as r on r.id = t.recipe_id
left join rewards as w on w.spec_id = :spec_id and w.trace_id = t.id;
