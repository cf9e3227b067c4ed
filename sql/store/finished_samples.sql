-- The rows of a dataset whose rollouts from 1 to :rollouts under a recipe all need nothing more.
-- Grain: one row, with the numbers of those rows as text with commas between them, null for none:
-- there may be millions, and as many rows of an answer take longer to fetch than to find.
-- What needs more: a trace that is open or that reopen_trace would open again. :retry is a JSON
-- array. Dialect: SQLite; indexes alone are read for what is finished.
select group_concat(sample_index) from (
  select s.sample_index
  from samples as s
  cross join traces as t on t.sample_id = s.id -- in this order of loops rows come sorted
  where s.dataset_id = :dataset_id
    and t.recipe_id = :recipe_id
    and t.rollout between 1 and :rollouts
  group by s.sample_index
  having count(*) >= :rollouts
    and s.id not in (
      select sample_id
      from traces
      where recipe_id = :recipe_id
        and rollout between 1 and :rollouts
        and (
          status = 'open'
          or (
            status in ('exhausted', 'failed')
            and (
              (stop_reason = 'turn_limit' and turn_limit < :turn_limit)
              or iif(
                status = 'failed', 'failed', iif(stop_reason = 'truncated', 'truncated', 'exhausted')
              ) in (select value from json_each(:retry))
            )
          )
        )
    )
)
