-- The ended candidates whose final response was not read by a parser of this version or a later one.
-- Grain: one row per trace, by id. Dialect: SQLite.
select c.trace_id
from temp.candidates as c
cross join traces as t on t.id = c.trace_id
where t.status in ('answered', 'exhausted')
  and not exists (
    select 1
    from answers
    where trace_id = c.trace_id and parser_version >= :version
  )
order by c.trace_id
