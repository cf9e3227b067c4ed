-- An answer right after a turn whose tool calls all failed.
-- Grain: one row per trace. :trace_ids is a JSON array. Looks at the last turn that called a tool. A
-- call past --max-images does not count: the teacher was told to answer without it.
-- Dialect: SQLite.
with last_calls as (
  select c.trace_id, c.turn, c.success, c.error_kind
  from tool_calls as c
  where c.trace_id in (select value from json_each(:trace_ids))
    and c.turn = (select max(turn) from tool_calls where trace_id = c.trace_id)
    and c.error_kind is not 'image_limit'
)
select
  c.trace_id,
  'turn ' || c.turn || ': ' || min(c.error_kind) as detail
from last_calls as c
join answers as a
  on a.trace_id = c.trace_id
  and a.parser_version = (select max(parser_version) from answers where trace_id = c.trace_id)
where a.lat is not null
group by c.trace_id
having max(c.success) = 0
order by c.trace_id
