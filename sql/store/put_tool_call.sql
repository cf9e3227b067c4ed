-- Records a tool call and what came of it.
-- Grain: one row per call. box_left, box_top, box_right, box_bottom in source pixels; angle in degrees.
-- Dialect: SQLite.
insert or ignore into tool_calls (
  trace_id, turn, call_index, name, raw_arguments, arguments, source_index,
  box_left, box_top, box_right, box_bottom, angle, success, error_kind, flags, observation, image_index,
  image_sha256, image_width, image_height, full_width, full_height, image_pixels_xxh128, created_at
)
values (
  :trace_id, :turn, :call_index, :name, :raw_arguments, :arguments, :source_index,
  :box_left, :box_top, :box_right, :box_bottom, :angle, :success, :error_kind, :flags, :observation, :image_index,
  :image_sha256, :image_width, :image_height, :full_width, :full_height,
  :image_pixels_xxh128, :now
)
