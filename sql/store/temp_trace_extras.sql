-- What a trace did on its way, as an input of rewards: a view of this connection's own.
-- Grain: one row per trace.
--   turns               responses of the teacher
--   *_tokens            sums over the turns; null where the server never said
--   tool_calls          all calls; failed_tool_calls: those without a result
--   tool_validity       the share of calls that gave a result, 0..1; null without a call
-- A column that is not asked for costs nothing. Dialect: SQLite.
create temp view if not exists trace_extras as
select
  t.id as trace_id,
  (select count(*) from turns where trace_id = t.id) as turns,
  (select sum(prompt_tokens) from turns where trace_id = t.id) as prompt_tokens,
  (select sum(completion_tokens) from turns where trace_id = t.id) as completion_tokens,
  (select sum(total_tokens) from turns where trace_id = t.id) as total_tokens,
  (select count(*) from tool_calls where trace_id = t.id) as tool_calls,
  (select count(*) from tool_calls where trace_id = t.id and success = 0) as failed_tool_calls,
  (select avg(success) from tool_calls where trace_id = t.id) as tool_validity
from traces as t
