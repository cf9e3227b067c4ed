-- How many traces have an answer, and how many of those lack the reward of a spec.
-- Grain: one row. pending counts rewards that are missing or read from an older parser's answer.
-- Traces with ids in (:after, :last]; null for :last: without end. Dialect: SQLite.
with newest as (
  select trace_id, max(parser_version) as parser_version
  from answers
  where trace_id > :after and (:last is null or trace_id <= :last)
  group by trace_id
)
select
  count(*) as answered,
  count(*) filter (where w.trace_id is null or w.parser_version < n.parser_version) as pending
from newest as n
left join rewards as w on w.trace_id = n.trace_id and w.spec_id = :spec_id
