-- Ordered reads of a whole store, and SQLite's own checks of its file.
-- Dialect: SQLite. A name in double braces stands for the part of that name.

-- name: snapshot_datasets
-- The datasets of a store, in the order in which their traces are exported.
-- Grain: one row per dataset.
select id, path, name, fingerprint, split, num_rows, columns, column_map
from datasets
order by name, fingerprint, path;

-- name: snapshot_traces
-- The traces of a dataset that a filter keeps, each with its sample, newest answer and a reward.
-- Grain: one row per trace, by row number, recipe and rollout. Parameters as in filtered_traces.
select
  t.id, t.recipe_id, s.dataset_id, {{trace_columns}}
from {{filtered_traces}}
order by s.sample_index, r.sha256, t.rollout;

-- name: snapshot_trace_ids
-- The ids of the traces of a dataset that a filter keeps.
-- Grain: one row per trace. Parameters as in filtered_traces.
select t.id
from {{filtered_traces}};

-- name: count_traces
-- How many traces the store holds.
-- Grain: one row.
select count(*) as traces
from traces;

-- name: snapshot_left_out
-- Why a filter does not keep the other traces of a dataset.
-- Grain: one row per reason: the first one that holds for a trace, null for traces that are kept.
-- Parameters as in filtered_traces, whose conditions these are, with :with_turns 1 and :statuses of
-- traces that ended.
select
  case
    when t.status in ('open', 'failed') then t.status
    when not exists (select 1 from turns where trace_id = t.id) then 'no_response'
    when :statuses is not null and t.status not in (select value from json_each(:statuses))
      then 'status'
    when :recipe is not null and substr(r.sha256, 1, length(:recipe)) <> :recipe then 'recipe'
    when :model is not null and (r.model is null or not r.model glob :model) then 'model'
    when :since is not null and (t.closed_at is null or t.closed_at < :since) then 'since'
    when (select count(*) from turns where trace_id = t.id) < :min_turns then 'min_turns'
    when (select count(*) from turns where trace_id = t.id) > :max_turns then 'max_turns'
    when {{trace_tokens}} > :max_tokens then 'max_tokens'
    when :require_tools
      and not exists (select 1 from tool_calls where trace_id = t.id and success = 1)
      then 'require_tools'
    when :condition is not null and not exists (
      select 1
      from temp.chosen
      where condition = :condition and trace_id = t.id
    ) then 'where'
    when :flags is not null and not exists (
      select 1
      from trace_flags
      where trace_id = t.id and flag in (select value from json_each(:flags))
    ) then 'flags'
    when :exclude_flags is not null and exists (
      select 1
      from trace_flags
      where trace_id = t.id and flag in (select value from json_each(:exclude_flags))
    ) then 'exclude_flags'
    when (
        :max_distance_km is not null
        -- A reward may give an answer without coordinates a score.
        or :min_score is not null
          and (w.score is null or w.parser_version not in (0, a.parser_version))
      )
      and case
        when w.parser_version = 0 -- as a file says it
          then w.distance_km is null and (w.score is null or coalesce(w.geoguessr_points, 1) = 0)
        else a.failure is not null
      end
      then 'unparsed'
    when :min_score is not null and w.score is null then 'no_score'
    when :min_score is not null and w.score < :min_score then 'min_score'
    when :max_distance_km is not null and w.distance_km is null then 'no_distance'
    when :max_distance_km is not null and w.distance_km >= :max_distance_km then 'max_distance'
  end as reason,
  count(*) as traces
from samples as s
-- A cross join keeps this order of loops, as filtered_traces does.
cross join traces as t on t.sample_id = s.id
join recipes as r on r.id = t.recipe_id
{{newest_answer}}
left join rewards as w on w.trace_id = t.id and w.spec_id = :spec_id
where s.dataset_id = :dataset_id
group by reason;

-- name: snapshot_recipes
-- The recipes of the traces of a dataset that a filter keeps.
-- Grain: one row per recipe, by hash. Parameters as in filtered_traces.
select distinct t.recipe_id, r.sha256
from {{filtered_traces}}
order by r.sha256;

-- name: snapshot_unaudited
-- How many of some traces have no audit by these versions of the checks since their last change.
-- Grain: one row. :trace_ids is a JSON array, :checks a JSON object, check name to version.
select count(*) as unaudited
from json_each(:trace_ids) as i
left join audits as a on a.trace_id = i.value
left join audit_suites as u on u.id = a.suite_id
where a.trace_id is null
  or a.parser_version is not (select max(parser_version) from answers where trace_id = i.value)
  or exists (
    select 1
    from json_each(:checks) as c
    where json_extract(u.checks, '$.' || c.key) is not c.value
  );

-- name: traces_with_turns
-- The traces of a dataset that hold a response; traces of one photo stand side by side.
-- Grain: one row per trace, by row number, then in the order in which they were made.
select t.id, t.sample_id
from samples as s
-- A cross join keeps this order of loops, in which rows come sorted from the indexes.
cross join traces as t on t.sample_id = s.id
where s.dataset_id = :dataset_id
  and exists (select 1 from turns where trace_id = t.id)
order by s.sample_index, t.id;

-- name: turn_versions
-- The versions of the run that stored a response and made the images of its calls.
-- Grain: at most one row of JSON; none where the run is not known.
select r.versions
from turns as t
join runs as r on r.id = t.run_id
where t.trace_id = :trace_id and t.turn = :turn;

-- name: find_photo
-- The row number of the photo with these stored bytes in a trace's dataset.
-- Grain: at most one row.
select other.sample_index
from traces as t
join samples as s on s.id = t.sample_id
join samples as other on other.dataset_id = s.dataset_id
where t.id = :trace_id and other.image_sha256 = :sha256
order by other.sample_index
limit 1;

-- name: integrity_check
-- SQLite's own check of the file: pages, indexes, and the constraints of every row.
-- Grain: one row per fault, at most 100, or the one row "ok".
pragma integrity_check(100);

-- name: foreign_key_check
-- References to rows that do not exist.
-- Grain: one row per reference: its table, its rowid (null in a table without them), the table it
-- refers to, and the number of the foreign key.
pragma foreign_key_check;
