-- Finds one trace, if its reward of a spec is missing or read from an older parser's answer.
-- Grain: at most one row. Dialect: SQLite.
insert into temp.pending (trace_id, parser_version)
select n.trace_id, n.parser_version
from (
  select trace_id, max(parser_version) as parser_version
  from answers
  where trace_id = :trace_id
  group by trace_id
) as n
left join rewards as w on w.spec_id = :spec_id and w.trace_id = n.trace_id
where w.trace_id is null or w.parser_version < n.parser_version
