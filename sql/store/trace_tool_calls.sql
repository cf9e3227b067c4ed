-- All tool calls of a trace.
-- Grain: one row per call, in order. Dialect: SQLite.
select
  turn, call_index, name, raw_arguments, arguments, source_index, box_left, box_top, box_right, box_bottom, angle,
  success, error_kind, flags, observation, image_index, image_sha256, image_width, image_height,
  full_width, full_height,
  image_pixels_xxh128
from tool_calls
where trace_id = :trace_id
order by turn, call_index
