-- Which share of tool calls changed nothing (no-op), in accepted traces and in the others.
-- Grain: one row per recipe, tool and whether the trace is accepted; over the calls of closed traces that
-- have a score or are failures.
-- Parameters: the reward whose scores count; the store's default where none is named.
--   min_score  number, default 0.3: the score from which a trace is accepted
-- Units: counts of traces and calls; shares from 0 to 1.
-- Columns:
--   accepted            whether the traces are; a failure has score 0 unless the reward gives it another
--   calls               of this tool; noops: those flagged noop, such as a box that is the whole image
--   share               noops of calls; traces_share: traces with a no-op of this tool, of the traces
--                       that call it. The second is the surer: calls of one trace are alike
--   *_low, *_high       of their 95 % intervals (Wilson)
-- Dialect: DuckDB, over the views of views.sql.
with
by_trace as (
  select
    trace_id,
    name as tool,
    count(*) as calls,
    count(*) filter (contains(flags, '"noop"')) as noops
  from tool_calls
  group by trace_id, name
),
counted as (
  select
    t.recipe,
    t.model,
    c.tool,
    t.score_or_0 >= $min_score as accepted,
    count(*) as traces,
    count(*) filter (c.noops > 0) as noop_traces,
    sum(c.calls)::bigint as calls,
    sum(c.noops)::bigint as noops
  from by_trace as c
  join trace_results as t on t.trace_id = c.trace_id
  where t.score_or_0 is not null
  group by t.recipe, t.model, c.tool, accepted
)
select
  recipe,
  model,
  tool,
  accepted,
  traces,
  noop_traces / traces as traces_share,
  share_low(noop_traces, traces) as traces_share_low,
  share_high(noop_traces, traces) as traces_share_high,
  calls,
  noops,
  noops / calls as share,
  share_low(noops, calls) as share_low,
  share_high(noops, calls) as share_high
from counted
order by model, recipe, tool, accepted desc
