-- The public names of traces, and the traces that a name means.
-- Dialect: SQLite. A name in double braces stands for the part of that name.

-- part: trace_name
-- The public name of a trace, t, of a sample, s, a dataset, n, and a recipe, r.
coalesce(n.label || ':', '') || s.sample_index || '-' || substr(r.sha256, 1, 8) || '-' || t.rollout

-- part: is_labelled
-- Whether :label means a dataset, asked_in: by its label, or by its name where it has no label and no
-- other dataset has that name for one.
coalesce(
    asked_in.label,
    iif(exists (select 1 from datasets where label = asked_in.name), null, asked_in.name)
  ) = :label

-- part: named_trace
-- What a person can tell traces apart by, of a trace, t; its tables as in named_traces.
t.id, {{trace_name}} as trace, t.status, r.model, coalesce(r.tools <> '[]', r.has_calls = 1) as with_tools,
  a.failure, w.distance_km, w.score

-- part: named_traces
-- Traces, t, with sample, s, dataset, n, recipe, r, newest answer, a, and default reward, w.
samples as s
join datasets as n on n.id = s.dataset_id
join traces as t on t.sample_id = s.id
join recipes as r on r.id = t.recipe_id
{{newest_answer}}
left join reward_specs as p on p.is_default = 1
left join rewards as w
  on w.trace_id = t.id and w.spec_id = p.id and w.parser_version in (0, a.parser_version)

-- name: traces_by_name
-- The traces that a name, or the start of one, may mean; those that it names whole come first.
-- Grain: one row per trace, at most :most; total: how many there are. km; scores of the default reward.
-- A row of the named dataset may stand for the sample of another one, whose traces it then means.
-- :label null: of any dataset; :recipe is the start of the recipe's hash, :rollout that of the
-- rollout's number.
select
  {{named_trace}},
  length(:recipe) >= 8 and cast(t.rollout as text) = :rollout as whole,
  n.label is null as of_first_dataset,
  count(*) over () as total
from datasets as asked_in
-- A cross join keeps this order of loops: the row is then found in the index of each dataset.
cross join samples as asked
  on asked.dataset_id = asked_in.id and asked.sample_index = :sample_index
join {{named_traces}}
where s.id = iif(:label is null, asked.id, coalesce(asked.same_as, asked.id))
  and substr(r.sha256, 1, length(:recipe)) = :recipe
  and substr(t.rollout, 1, length(:rollout)) = :rollout
  and (:label is null or {{is_labelled}})
order by whole desc, n.id, r.sha256, t.rollout
limit :most;

-- name: nearest_names
-- The names of the traces whose rows are nearest to one.
-- Grain: one row per trace, at most :most. :label null: of any dataset; :recipe as in traces_by_name.
select {{trace_name}} as trace
from samples as s
join datasets as n on n.id = s.dataset_id
join datasets as asked_in on asked_in.id = n.id
join traces as t on t.sample_id = s.id
join recipes as r on r.id = t.recipe_id
where :label is null or {{is_labelled}}
order by
  abs(s.sample_index - :sample_index), substr(r.sha256, 1, length(:recipe)) = :recipe desc,
  n.id, s.sample_index, r.sha256, t.rollout
limit :most;

-- name: dataset_labels
-- What can stand before the names of traces, for each dataset.
-- Grain: one row per dataset.
select coalesce(label, name) as label
from datasets
order by id;
