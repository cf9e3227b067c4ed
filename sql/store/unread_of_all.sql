-- Every ended trace whose final response was not read by a parser of this version or a later one.
-- Grain: one row per trace, by id. Dialect: SQLite.
select id as trace_id
from traces
where status in ('answered', 'exhausted')
except
select trace_id
from answers
where parser_version >= :version
order by 1
