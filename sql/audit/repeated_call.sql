-- A call that asks again for what an earlier call gave, or that fails as an earlier one did.
-- Grain: one row per trace. :trace_ids is a JSON array. Calls that succeeded are the same if tool,
-- image and box (source pixels), angle (within a full turn) or, without either, arguments are; calls
-- that failed, if their words are. A call past the limit of a turn was not run, so asking for it again
-- is not a repeat. Dialect: SQLite.
with
-- Written without floor(), which some builds of SQLite lack.
within_turn as (
  select *, angle - 360 * (cast(angle / 360 as integer) - (angle < 0)) as remainder
  from tool_calls
  where trace_id in (select value from json_each(:trace_ids))
),
meant as (
  select
    trace_id,
    success,
    name,
    iif(success, source_index, null) as source_index,
    iif(success, box_left || ',' || box_top || ',' || box_right || ',' || box_bottom, null) as box,
    iif(success, iif(remainder = 360, 0.0, remainder), null) as angle,
    iif(success, iif(box_left is null and angle is null, arguments, null), raw_arguments) as words
  from within_turn
  where error_kind is not 'too_many_calls'
),
repeats as (
  select trace_id, count(*) - 1 as again, name
  from meant
  group by trace_id, success, name, source_index, box, angle, words
  having count(*) > 1
)
select
  trace_id,
  sum(again) || iif(sum(again) = 1, ' repeat', ' repeats') || ' of ' || min(name) as detail
from repeats
group by trace_id
order by trace_id
