-- Photos that stand in several datasets: shuffled, filtered and converted copies of one another.
-- Dialect: SQLite. A name in double braces stands for the part of that name.

-- part: holds_work
-- Whether a trace, t, holds what must stay where it is: a response, a failed request, an end, or the
-- claim of a run. :now is an ISO-8601 UTC time.
t.status <> 'open'
  or coalesce(t.claim_expires_at > :now, 0)
  or exists (select 1 from turns where trace_id = t.id)
  or exists (select 1 from attempts where trace_id = t.id)

-- name: has_answered_elsewhere
-- Whether any photo of another dataset was answered under a recipe.
-- Grain: one row.
select exists (
  select 1
  from datasets as d
  -- In this order of loops nothing is read of the dataset itself.
  cross join samples as s on s.dataset_id = d.id
  cross join traces as t on t.sample_id = s.id
  where d.id <> :dataset_id and t.recipe_id = :recipe_id and t.status = 'answered'
) as has;

-- name: find_answered_copy
-- The sample of another dataset with the same photo that was answered under a recipe, for which no
-- row of this dataset stands yet; one at the same place before others. None where the row itself has
-- been asked about, or stands for a sample already.
-- Grain: at most one row. same_place: within :degrees of latitude and of longitude.
select
  o.id,
  coalesce(d.label, d.name) as dataset,
  abs(o.lat - :lat) <= :degrees and abs(o.lon - :lon) <= :degrees as same_place
from samples as o
join datasets as d on d.id = o.dataset_id
where o.image_sha256 = :image_sha256
  and o.dataset_id <> :dataset_id
  and o.same_as is null
  and exists (
    select 1
    from traces
    where sample_id = o.id and recipe_id = :recipe_id and status = 'answered'
  )
  and not exists (select 1 from samples where same_as = o.id and dataset_id = :dataset_id)
  and not exists (
    select 1
    from samples as s
    left join traces as t on t.sample_id = s.id
    where s.dataset_id = :dataset_id
      and s.sample_index = :sample_index
      and (s.same_as is not null or {{holds_work}})
  )
order by same_place desc, o.id
limit 1;

-- name: drop_empty_traces
-- Removes the traces of a sample in which nothing has happened.
-- Grain: one row per trace.
delete from traces as t
where t.sample_id = :sample_id
  and not ({{holds_work}});

-- name: attach_sample
-- Lets a dataset row stand for the sample of another dataset, whose traces are its traces then.
-- Grain: at most one row; none where the row has traces of its own, or another row stands for it.
update samples
set same_as = :same_as
where id = :sample_id
  and same_as is null
  and exclusion is null
  and not exists (select 1 from traces where sample_id = :sample_id)
  and not exists (select 1 from samples as c where c.same_as = :sample_id)
returning id;
