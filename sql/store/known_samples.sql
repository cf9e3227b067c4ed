-- What the store knows of some dataset rows, and how far a recipe's rollouts on them are.
-- Grain: one row per dataset row that was drawn. closed counts the rollouts from 1 to :rollouts
-- that need nothing more: not open, not exhausted under a lower turn limit, and not failed where
-- :retry_failed asks for those again.
-- :indices is a JSON array of row numbers. Dialect: SQLite.
select
  s.sample_index,
  s.id as sample_id,
  s.exclusion,
  count(t.id) filter (
    where t.status <> 'open'
      and not (t.status = 'exhausted' and t.stop_reason = 'turn_limit' and t.turn_limit < :turn_limit)
      and not (t.status = 'failed' and :retry_failed)
  ) as closed
from json_each(:indices) as i
join samples as s on s.dataset_id = :dataset_id and s.sample_index = i.value
left join traces as t
  on t.sample_id = s.id and t.recipe_id = :recipe_id and t.rollout between 1 and :rollouts
group by s.id
order by s.sample_index
