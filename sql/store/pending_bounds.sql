-- The last trace of the next batch of pending ones; null where there is none.
-- Grain: one row. Traces with ids above :after; :batch is the most traces of a batch.
-- Dialect: SQLite.
select max(trace_id) as last
from (
  select trace_id
  from temp.pending
  where trace_id > :after
  order by trace_id
  limit :batch
)
