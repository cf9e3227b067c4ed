-- How many of some traces were not audited as they are now, by these checks in these versions.
-- Grain: one row. :trace_ids is a JSON array, :checks a JSON object, check name to version. Dialect:
-- SQLite.
select count(*) as unaudited
from json_each(:trace_ids) as i
left join audits as a on a.trace_id = i.value
left join audit_suites as u on u.id = a.suite_id
where a.trace_id is null
  or a.parser_version is not (select max(parser_version) from answers where trace_id = i.value)
  or exists (
    select 1
    from json_each(:checks) as c
    where json_extract(u.checks, '$.' || c.key) is not c.value
  )
