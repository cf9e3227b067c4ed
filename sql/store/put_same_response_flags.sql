-- Flags the traces whose words are also those of another recipe's trace.
-- Grain: one row per such trace. The detail names the first of the others. Looks at the keys of all
-- traces that were audited, through an index, not at their words. Dialect: SQLite.
with
several as materialized (
  select response_key
  from audits
  where response_key is not null
  group by response_key
  having count(*) > 1
),
alike as materialized (
  select a.response_key, a.trace_id, t.recipe_id, t.sample_id, t.rollout
  from several as k
  cross join audits as a on a.response_key = k.response_key
  cross join traces as t on t.id = a.trace_id
),
-- Of each key the first trace, and the first of those with another recipe than that one's.
firsts as materialized (
  select response_key, min(trace_id) as trace_id, recipe_id
  from alike
  group by response_key
),
others as materialized (
  select a.response_key, min(a.trace_id) as trace_id
  from alike as a
  join firsts as f on f.response_key = a.response_key
  where a.recipe_id <> f.recipe_id
  group by a.response_key
),
found as (
  select
    a.trace_id,
    iif(a.recipe_id = f.recipe_id, o.trace_id, f.trace_id) as other_id
  from alike as a
  join firsts as f on f.response_key = a.response_key
  join others as o on o.response_key = a.response_key
)
insert into trace_flags (trace_id, flag, version, detail, created_at)
select
  x.trace_id,
  :flag,
  :version,
  'the words of ' || s.sample_index || '-' || substr(r.sha256, 1, 8) || '-' || t.rollout,
  :now
from found as x
join traces as t on t.id = x.other_id
join samples as s on s.id = t.sample_id
join recipes as r on r.id = t.recipe_id
where true -- keeps SQLite from reading "on" as a join's condition
on conflict (trace_id, flag) do update
  set version = excluded.version, detail = excluded.detail, created_at = excluded.created_at
  where version <> excluded.version or detail <> excluded.detail
