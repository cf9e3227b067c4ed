-- Which traces were audited, by which checks, and their flags.
-- Dialect: SQLite. A name in double braces stands for the part of that name.

-- part: shared_keys
-- The response keys that several audited traces have.
several as materialized (
  select response_key
  from audits
  where response_key is not null
  group by response_key
  having count(*) > 1
)

-- name: put_audit_suite
-- Records a set of checks with their versions.
-- Grain: one row per set; :checks is canonical JSON, check name to version.
insert or ignore into audit_suites (checks, created_at)
values (:checks, :now);

-- name: find_audit_suite
-- The id of a set of checks.
-- Grain: at most one row.
select id
from audit_suites
where checks = :checks;

-- name: other_audit_suites
-- The sets of checks, other than :suite_id, that some trace was last audited with.
-- Grain: one row per set.
select id, checks
from audit_suites as u
where id <> :suite_id
  and exists (select 1 from audits where suite_id = u.id)
order by id;

-- name: audit_pending
-- The next closed traces that need an audit, each with what checks compare with its text.
-- Grain: one row per trace with an id above :after, by id, at most :batch. With :older_suite: traces
-- that were last audited with that set of checks. With null: traces that were not audited since they
-- were closed, whose answer was read anew since, or whose recipe was asked of a second photo since.
-- prompts_read is 1 where the recipe was asked of this photo only.
select
  {{sample_columns}},
  {{answer_columns}},
  t.id, t.closed_at, t.recipe_id,
  not exists (
    select 1 from traces where recipe_id = t.recipe_id and sample_id <> t.sample_id
  ) as prompts_read,
  d.path as dataset_path
from traces as t
join samples as s on s.id = t.sample_id
join datasets as d on d.id = s.dataset_id
left join audits as k on k.trace_id = t.id
{{newest_answer}}
where t.id > :after
  and t.status <> 'open'
  and iif(
    :older_suite is null,
    k.trace_id is null
    or k.parser_version is not a.parser_version
    or k.prompts_read <> not exists (
      select 1 from traces where recipe_id = t.recipe_id and sample_id <> t.sample_id
    ),
    k.suite_id = :older_suite
  )
order by t.id
limit :batch;

-- name: put_audits
-- Records that traces were audited, unless they were opened again after they were read.
-- Grain: one row per trace of :audits, a JSON array of [trace_id, closed_at, parser_version,
-- prompts_read, response_key]. Returns the traces that were recorded; the next audit takes the
-- others. :with_keys 0: stored keys stay.
insert into audits (trace_id, suite_id, parser_version, prompts_read, response_key, created_at)
select
  t.id, :suite_id, json_extract(a.value, '$[2]'), json_extract(a.value, '$[3]'),
  json_extract(a.value, '$[4]'), :now
from json_each(:audits) as a
cross join traces as t on t.id = json_extract(a.value, '$[0]')
where t.closed_at = json_extract(a.value, '$[1]')
on conflict (trace_id) do update
  set suite_id = excluded.suite_id,
      parser_version = excluded.parser_version,
      prompts_read = excluded.prompts_read,
      response_key = iif(:with_keys, excluded.response_key, response_key),
      created_at = excluded.created_at
returning trace_id;

-- name: drop_audit
-- Removes the audit of a trace, and its flags with it.
-- Grain: at most one row.
delete from audits
where trace_id = :trace_id;

-- name: put_flags
-- Records the flags that checks set.
-- Grain: one row per trace and check of :flags, a JSON array of [trace_id, flag, version, detail],
-- for the traces in the JSON array :trace_ids.
insert into trace_flags (trace_id, flag, version, detail, created_at)
select
  json_extract(f.value, '$[0]'), json_extract(f.value, '$[1]'), json_extract(f.value, '$[2]'),
  json_extract(f.value, '$[3]'), :now
from json_each(:flags) as f
where json_extract(f.value, '$[0]') in (select value from json_each(:trace_ids));

-- name: drop_flags
-- Removes all flags of some traces but those of the checks that were not run.
-- Grain: one row per flag. :trace_ids and :skipped_checks are JSON arrays.
delete from trace_flags
where trace_id in (select value from json_each(:trace_ids))
  and flag not in (select value from json_each(:skipped_checks));

-- name: put_same_response_flags
-- Flags the traces that have the same words as a trace of another recipe.
-- Grain: one row per such trace. The detail names the first of the others. Compares the response keys
-- of all audited traces through an index, and reads no words.
with
{{shared_keys}},
alike as materialized (
  select a.response_key, a.trace_id, t.recipe_id, t.sample_id, t.rollout
  from several as k
  cross join audits as a on a.response_key = k.response_key
  cross join traces as t on t.id = a.trace_id
),
-- For each key: its first trace, and the first trace with another recipe than that.
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
flagged as (
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
from flagged as x
join traces as t on t.id = x.other_id
join samples as s on s.id = t.sample_id
join recipes as r on r.id = t.recipe_id
where true -- keeps SQLite from reading "on" as a join's condition
on conflict (trace_id, flag) do update
  set version = excluded.version, detail = excluded.detail, created_at = excluded.created_at
  where version <> excluded.version or detail <> excluded.detail;

-- name: drop_same_response_flags
-- Removes the flag from traces that no longer share their words with a trace of another recipe.
-- Grain: one row per such flag.
with
{{shared_keys}},
shared as materialized (
  select a.response_key
  from several as k
  cross join audits as a on a.response_key = k.response_key
  cross join traces as t on t.id = a.trace_id
  group by a.response_key
  having min(t.recipe_id) <> max(t.recipe_id)
)
delete from trace_flags
where flag = :flag
  and trace_id not in (
    select a.trace_id from shared as k join audits as a on a.response_key = k.response_key
  );

-- name: flag_counts
-- How many traces each check flagged, with the names of the first three, and how many were audited.
-- Grain: first one row for all audited traces (flag null), then one row per check that flagged a
-- trace, by name.
with ranked as (
  select
    f.flag,
    f.trace_id,
    row_number() over (partition by f.flag order by f.trace_id) as place,
    count(*) over (partition by f.flag) as traces
  from trace_flags as f
)
select null as flag, (select count(*) from audits) as traces, '[]' as examples
union all
select
  k.flag,
  k.traces,
  json_group_array(
    {{trace_name}}
  ) as examples
from (select * from ranked where place <= 3 order by flag, place) as k
join traces as t on t.id = k.trace_id
join samples as s on s.id = t.sample_id
join datasets as n on n.id = s.dataset_id
join recipes as r on r.id = t.recipe_id
group by k.flag
order by 1;
