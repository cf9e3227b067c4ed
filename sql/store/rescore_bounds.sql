-- The last trace of the next batch that lacks the reward of a spec; null where none does.
-- Grain: one row. Traces with ids in (:after, :last]; null for :last: without end.
-- :batch is the most traces of a batch. Dialect: SQLite.
with pending as (
  select a.trace_id
  from answers as a
  left join rewards as w on w.trace_id = a.trace_id and w.spec_id = :spec_id
  where a.trace_id > :after
    and (:last is null or a.trace_id <= :last)
    and (w.trace_id is null or w.parser_version < a.parser_version)
  group by a.trace_id
  order by a.trace_id
  limit :batch
)
select max(trace_id) as last
from pending
