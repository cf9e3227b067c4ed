-- Finds the candidates whose reward of a spec is missing or read from an older parser's answer.
-- Grain: one row per trace. :again 1 takes those with a reward too, :retry 1 those whose custom
-- function failed. Dialect: SQLite.
insert into temp.pending (trace_id, parser_version)
select c.trace_id, a.parser_version
from temp.candidates as c
cross join answers as a
  on a.trace_id = c.trace_id
  and a.parser_version = (select max(parser_version) from answers where trace_id = c.trace_id)
left join rewards as w on w.spec_id = :spec_id and w.trace_id = c.trace_id
where w.trace_id is null
  or w.parser_version < a.parser_version
  or :again
  or (:retry and w.score is null and json_extract(w.extra, '$.error') is not null)
