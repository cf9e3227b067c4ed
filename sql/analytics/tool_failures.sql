-- Which tool calls gave no result, why, and one of them as the teacher wrote it.
-- Grain: one row per recipe, tool and kind of error.
-- Parameters: none.
-- Units: counts of calls and traces; shares from 0 to 1.
-- Columns:
--   tool           as the teacher wrote it; empty where no name could be read
--   failures       calls with this error; share: of all calls of this tool under this recipe
--   failed_traces  traces with such a call
--   example        the first such trace, and turn and arguments of the call in it; geostore show has
--                  the sentence that the teacher got
-- Dialect: DuckDB, over the views of views.sql.
with counted as (
  select recipe, model, tool, count(*) as calls
  from tool_results
  group by recipe, model, tool
),
failed as (
  select
    recipe,
    model,
    tool,
    error_kind,
    count(*) as failures,
    count(distinct trace_id) as failed_traces,
    min(row(trace_id, turn, call_index)) as first_call
  from tool_results
  where not success
  group by recipe, model, tool, error_kind
)
select
  f.recipe,
  f.model,
  f.tool,
  f.error_kind,
  f.failures,
  f.failures / c.calls as share,
  f.failed_traces,
  e.trace as example,
  e.turn,
  e.raw_arguments
from failed as f
join counted as c
  on c.recipe = f.recipe and c.model is not distinct from f.model and c.tool = f.tool
join tool_results as e on row(e.trace_id, e.turn, e.call_index) = f.first_call
order by f.model, f.recipe, f.failures desc, f.tool, f.error_kind
