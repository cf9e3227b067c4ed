-- Records a trace that came to an end elsewhere.
-- Grain: one row per sample x recipe x rollout. Sent size in pixels. Dialect: SQLite.
insert into traces (
  sample_id, recipe_id, rollout, status, stop_reason, turn_limit,
  sent_sha256, sent_pixels_xxh128, sent_width, sent_height, created_at, closed_at
)
values (
  :sample_id, :recipe_id, :rollout, :status, :stop_reason, :turn_limit,
  :sent_sha256, :sent_pixels_xxh128, :sent_width, :sent_height, :now, :now
)
returning id
