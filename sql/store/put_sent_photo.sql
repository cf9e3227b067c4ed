-- Records the photo as it is sent in a trace: hashes of its bytes and pixels, and size in pixels.
-- Grain: one row. Dialect: SQLite.
update traces
set
  sent_sha256 = :sha256, sent_pixels_xxh128 = :pixels_xxh128, sent_width = :width,
  sent_height = :height
where id = :trace_id and sent_sha256 is null
