-- All tool calls of some traces.
-- Grain: one row per call, in order. :trace_ids is a JSON array. Boxes in source pixels, angles in
-- degrees. Dialect: SQLite.
select
  trace_id, turn, call_index, name, raw_arguments, arguments, source_index,
  box_left, box_top, box_right, box_bottom, angle, success, error_kind, flags, observation,
  image_index, image_sha256, image_width, image_height, full_width, full_height,
  image_pixels_xxh128
from tool_calls
where trace_id in (select value from json_each(:trace_ids))
order by trace_id, turn, call_index
