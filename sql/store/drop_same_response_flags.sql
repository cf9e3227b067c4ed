-- Removes the flag from traces whose words are no longer those of another recipe's trace as well.
-- Grain: one row per such flag. Dialect: SQLite.
with
several as materialized (
  select response_key
  from audits
  where response_key is not null
  group by response_key
  having count(*) > 1
),
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
  )
