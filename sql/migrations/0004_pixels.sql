-- A hash of the pixels of every image beside that of its bytes, so that verify can tell another JPEG
-- encoder from other pixels. Null in rows that are older, and for a photo that was sent as its file
-- stands, which no encoder touched.
-- Dialect: SQLite, STRICT tables.

-- Both: XXH3, 128 bits, of "RGB <width>x<height>\n" and the pixels that were given to the encoder, row by row,
-- three bytes each (geostore.imaging.hash_pixels).
alter table traces add column sent_pixels_xxh128 text;
alter table tool_calls add column image_pixels_xxh128 text;
