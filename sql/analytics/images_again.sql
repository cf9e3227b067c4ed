-- Which images of imported traces could be made again, and in which frame their boxes are read.
-- Grain: one row per imported recipe whose images were made again, the one with most images first.
-- Parameters: none.
-- Units: counts of traces and images; largest_difference is of near images, the mean difference of a
-- colour value from the file's image, 0 to 255.
-- Columns:
--   bbox_frame        null where the recipe's traces have no boxes, or came with an export
--                     that says what their boxes are
--   known_by          given: by --bbox-frame; images: it gives the images in the files; numbers: only
--                     inferred from the boxes, and nothing proves it
--   traces_left_out   by an export with images, because an image cannot be made again
--   exact, near, unseen, not_proven
--                     images by what could be proven: see docs/import.md
-- Dialect: DuckDB, over the tables of the store.
select
  left(r.sha256, 8) as recipe,
  r.model,
  json_extract_string(r.imported, '$.label') as label,
  b.bbox_frame,
  b.known_by,
  count(distinct t.id) as traces,
  count(distinct t.id) filter (p.proof = 'not') as traces_left_out,
  count(*) filter (p.proof = 'exact') as exact,
  count(*) filter (p.proof = 'near') as near,
  round(max(p.difference) filter (p.proof = 'near'), 2) as largest_difference,
  count(*) filter (p.proof = 'unseen') as unseen,
  count(*) filter (p.proof = 'not') as not_proven
from image_proofs as p
join traces as t on t.id = p.trace_id
join recipes as r on r.id = t.recipe_id
left join box_frames as b on b.recipe_id = r.id
group by r.sha256, r.model, r.imported, b.bbox_frame, b.known_by
order by count(*) desc, recipe
