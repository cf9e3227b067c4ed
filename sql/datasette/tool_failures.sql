-- Which tool calls gave no result, why, at which turn, and a trace that has one.
-- Grain: as analytics/tool_failures, without intervals and arguments.
-- Units: counts of calls and traces; shares from 0 to 1.
-- Dialect: SQLite, over the views of the schema.
with
counted as (
  select
    t.recipe_id,
    c.name as tool,
    c.error_kind,
    c.turn,
    count(*) as calls,
    count(distinct c.trace_id) as failed_traces,
    min(c.trace_id) as example
  from tool_calls as c
  join traces as t on t.id = c.trace_id
  group by t.recipe_id, c.name, c.error_kind, c.turn
),
summed as (
  select
    *,
    sum(calls) over (partition by recipe_id, tool, turn) as all_calls,
    sum(calls) over (partition by recipe_id, tool, error_kind) as of_kind
  from counted
)
select
  substr(r.sha256, 1, 8) as recipe,
  r.model,
  f.tool,
  f.error_kind,
  f.turn,
  f.calls as failures,
  f.all_calls as calls,
  f.calls * 1.0 / f.all_calls as share,
  f.failed_traces,
  t.trace as example
from summed as f
join recipes as r on r.id = f.recipe_id
join trace_names as t on t.trace_id = f.example
where f.error_kind is not null
order by r.model nulls last, 1, f.of_kind desc, f.tool, f.error_kind, f.turn
