-- Which tool calls gave no result, why, in which turn, and one of them as the teacher wrote it.
-- Grain: one row per recipe, tool, kind of error and turn; the kind with the most failures first.
-- Parameters: none.
-- Units: counts of calls and traces; shares from 0 to 1.
-- Columns:
--   tool           as the teacher wrote it; empty where no name could be read
--   turn           that made the calls, from 1
--   failures       calls with this error in that turn; calls: all of this tool in that turn, under this
--                  recipe
--   share          failures of calls; share_low, share_high: its 95 % interval (Wilson), as if no call had
--                  to do with another
--   failed_traces  traces with such a call
--   example        the first such trace, and the arguments of the call in it; geostore show has the
--                  sentence that the teacher got
-- Dialect: DuckDB, over the views of views.sql.
with
counted as (
  select
    t.recipe_id,
    c.name as tool,
    c.error_kind,
    c.turn,
    count(*) as calls,
    count(distinct c.trace_id) filter (c.error_kind is not null) as failed_traces,
    min(c.trace_id) filter (c.error_kind is not null) as example,
    -- The first call, by one number, because DuckDB takes far longer to compare two.
    arg_min(c.raw_arguments, c.trace_id * 1000000 + c.call_index) filter (c.error_kind is not null)
      as raw_arguments
  from tool_calls as c
  join traces as t on t.id = c.trace_id
  group by t.recipe_id, c.name, c.error_kind, c.turn
),
failed as (
  select
    *,
    sum(calls) over (partition by recipe_id, tool, turn) as all_calls,
    sum(calls) over (partition by recipe_id, tool, error_kind) as of_kind
  from counted
  qualify error_kind is not null
)
select
  left(r.sha256, 8) as recipe,
  r.model,
  f.tool,
  f.error_kind,
  f.turn,
  f.calls as failures,
  f.all_calls::bigint as calls,
  f.calls / f.all_calls as share,
  share_low(f.calls, f.all_calls) as share_low,
  share_high(f.calls, f.all_calls) as share_high,
  f.failed_traces,
  t.trace as example,
  f.raw_arguments
from failed as f
join recipes as r on r.id = f.recipe_id
join trace_names as t on t.trace_id = f.example
order by r.model, recipe, f.of_kind desc, f.tool, f.error_kind, f.turn
