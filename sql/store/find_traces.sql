-- The traces that a public name may mean; :dataset null: in any dataset.
-- Grain: one row per trace. :recipe is the start of the recipe's hash. Dialect: SQLite.
select t.id
from samples as s
join datasets as d on d.id = s.dataset_id
join traces as t on t.sample_id = s.id
join recipes as r on r.id = t.recipe_id
where s.sample_index = :sample_index
  and substr(r.sha256, 1, length(:recipe)) = :recipe
  and t.rollout = :rollout
  and (:dataset is null or d.name = :dataset)
order by t.id
limit 2
