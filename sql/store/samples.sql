-- Datasets, and their rows that were drawn.
-- Dialect: SQLite. A name in double braces stands for the part of that name.

-- part: free_label
-- What stands before the names of a new dataset's traces: :label, which may be null, if nothing else
-- in the store has it. Else their name, or that with the first number that makes it one of its own.
case when :label is not null or exists (select 1 from datasets where label is null) then (
    with recursive labels (number, label) as (
      select 1, coalesce(:label, :name)
      union all
      select number + 1, coalesce(:label, :name) || '+' || (number + 1)
      from labels
      where label in (select coalesce(label, name) from datasets)
    )
    select label
    from labels
    order by number desc
    limit 1
  ) end

-- name: put_dataset
-- Records a dataset; of a known one only the path where it was last seen.
-- Grain: one row per dataset.
insert into datasets (
  fingerprint, path, name, label, split, num_rows, columns, column_map, created_at
)
values (
  :fingerprint, :path, :name, {{free_label}}, :split, :num_rows, :columns, :column_map, :now
)
on conflict (fingerprint) do update
  set path = excluded.path
  where path <> excluded.path;

-- name: find_dataset
-- The id of a dataset by its fingerprint.
-- Grain: at most one row.
select id
from datasets
where fingerprint = :fingerprint;

-- name: get_dataset
-- A dataset by its id.
-- Grain: one row.
select path, name, fingerprint, split, num_rows, columns, column_map
from datasets
where id = :dataset_id;

-- name: put_unseen_dataset
-- Records a dataset that only trace files name; a known one keeps its path.
-- Grain: one row per dataset.
insert or ignore into datasets (
  fingerprint, path, name, label, split, num_rows, columns, column_map, created_at
)
values (
  :fingerprint, :path, :name, {{free_label}}, :split, :num_rows, :columns, :column_map, :now
);

-- name: find_unseen_dataset
-- The id of a dataset without a fingerprint, by its path.
-- Grain: at most one row.
select id
from datasets
where path = :path and fingerprint is null;

-- name: put_sample
-- Records a drawn dataset row; a row that is known stays as it is.
-- Grain: one row per dataset row. lat, lon in degrees.
insert or ignore into samples (
  dataset_id, sample_index, lat, lon, locatability_score, country, columns,
  image_sha256, image_format, width, height, exclusion
)
values (
  :dataset_id, :sample_index, :lat, :lon, :locatability_score, :country, :columns,
  :image_sha256, :image_format, :width, :height, :exclusion
);

-- name: renew_sample
-- Records what is known now of the photo of a dataset row that could not be used; of no other row.
-- Grain: at most one row.
update samples
set image_sha256 = :image_sha256, image_format = :image_format,
    width = :width, height = :height, exclusion = :exclusion
where dataset_id = :dataset_id
  and sample_index = :sample_index
  and exclusion <> 'duplicate';

-- name: find_sample
-- What a dataset row is in the store, or the sample for which it stands, and whether it can be used.
-- Grain: at most one row. row_id is its own.
select coalesce(same_as, id) as sample_id, id as row_id, exclusion
from samples
where dataset_id = :dataset_id and sample_index = :sample_index;

-- name: find_sample_place
-- The coordinates of a dataset row, with the sample that holds its traces and its further columns.
-- Grain: at most one row. Degrees.
select h.id, s.lat, s.lon, h.columns
from samples as s
join samples as h on h.id = coalesce(s.same_as, s.id)
where s.dataset_id = :dataset_id and s.sample_index = :sample_index;

-- name: set_sample_columns
-- Replaces the further columns of a sample, a JSON object.
-- Grain: one row.
update samples
set columns = :columns
where id = :sample_id;

-- name: find_duplicate
-- The other row of this dataset with the same photo that is in use.
-- Grain: at most one row.
select sample_index
from samples
where image_sha256 = :image_sha256
  and dataset_id = :dataset_id
  and sample_index <> :sample_index
  and exclusion is null
order by sample_index
limit 1;

-- name: get_sample
-- A sample by its id.
-- Grain: one row.
select {{sample_columns}}
from samples as s
where s.id = :sample_id;

-- name: known_samples
-- What the store knows of some dataset rows.
-- Grain: one row per dataset row that was drawn. :indices is a JSON array of row numbers; columns as
-- in find_sample.
select s.sample_index, coalesce(s.same_as, s.id) as sample_id, s.id as row_id, s.exclusion
from json_each(:indices) as i
join samples as s on s.dataset_id = :dataset_id and s.sample_index = i.value
order by s.sample_index;

-- name: excluded_samples
-- The rows of a dataset that were drawn and cannot be used.
-- Grain: one row per dataset row, by reason and row number.
select exclusion, sample_index
from samples
where dataset_id = :dataset_id and exclusion is not null
order by exclusion, sample_index;

-- name: begun_samples
-- The rows of a dataset that have traces under a recipe, of the rollouts from 1 to :rollouts.
-- Grain: one row, with row numbers as text between commas as in finished_samples, a number for each
-- trace: closed of those that need nothing more, begun of the others. :statuses is a JSON array of those
-- to count: open, exhausted and failed are found in an index, and are enough for what was begun.
select
  group_concat(iif(is_closed, sample_index, null)) as closed,
  group_concat(iif(is_closed, null, sample_index)) as begun
from (
  select
    s.sample_index,
    t.status = 'answered'
    or (
      t.status <> 'open'
      and not ({{may_go_on}})
    ) as is_closed
  from traces as t
  cross join samples as s
    on s.dataset_id = :dataset_id
    -- A row that stands for a sample of another dataset has its traces there.
    and (s.id = t.sample_id or s.same_as = t.sample_id)
  where t.recipe_id = :recipe_id
    and t.status in (select value from json_each(:statuses))
    and t.rollout between 1 and :rollouts
  limit -1 -- keeps SQLite from computing is_closed for each of the two columns
);

-- name: finished_samples
-- The rows of a dataset whose rollouts from 1 to :rollouts under a recipe all need nothing more.
-- Grain: one row, with the row numbers as text between commas, null for none. There may be
-- millions, and fetching so many rows would take longer than finding them.
-- A trace needs more if it is open or reopen_trace would open it again. :retry is a JSON array.
-- Finished traces are read from indexes alone, but for those of rows that stand for another sample.
with unfinished as materialized (
  select sample_id
  from traces
  where recipe_id = :recipe_id
    and rollout between 1 and :rollouts
    and (
      status = 'open'
      or (
        status in ('exhausted', 'failed')
        and ({{may_go_on}})
      )
    )
)
select group_concat(sample_index) from (
  select s.sample_index
  from samples as s
  cross join traces as t on t.sample_id = s.id -- in this order of loops rows come sorted
  where s.dataset_id = :dataset_id
    and t.recipe_id = :recipe_id
    and t.rollout between 1 and :rollouts
  group by s.sample_index
  having count(*) >= :rollouts
    and s.id not in (select sample_id from unfinished)
  union all
  select s.sample_index
  from samples as s indexed by samples_same_as -- small; another index would read every row
  cross join traces as t on t.sample_id = s.same_as
  where s.same_as is not null
    and s.dataset_id = :dataset_id
    and t.recipe_id = :recipe_id
    and t.rollout between 1 and :rollouts
  group by s.same_as, s.sample_index
  having count(*) >= :rollouts
    and s.same_as not in (select sample_id from unfinished)
);
