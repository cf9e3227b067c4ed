-- Finds every trace whose reward of a spec is missing or read from an older parser's answer.
-- Grain: one row per trace. Both sides of the except come in order and are merged, which reads each
-- once; a left join would look up every trace. Dialect: SQLite.
insert into temp.pending (trace_id, parser_version)
select n.trace_id, n.parser_version
from (
  select trace_id, parser_version
  from answers
  except
  select trace_id, parser_version
  from rewards
  where spec_id = :spec_id
  order by 1, 2
) as n
where not exists (
  select 1
  from answers
  where trace_id = n.trace_id and parser_version > n.parser_version
)
