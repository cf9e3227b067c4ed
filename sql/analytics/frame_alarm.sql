-- Whether a teacher's boxes look like another frame than its recipe's (--bbox-frame).
-- Grain: one row per recipe with a call that names a box.
-- Parameters: none.
-- Units: counts of boxes; shares from 0 to 1.
-- Columns:
--   odd         boxes that do not fit the frame and fit another, as the call was flagged when it ran
--   share       odd of boxes, with its 95 % interval (Wilson)
--   alarm       whether they are many: one proves little, so from 5 on that are 5 % of all
--   looks_like  the frame that explains most of the odd boxes; null without any. norm1000 and
--               norm1000_yx fit the same numbers, so a query cannot tell them apart
--   as_*        odd boxes that each frame explains: pixels as sent, 0 to 1000, 0 to 1, pixels with y
--               first, pixels at full resolution. One box may fit several
-- Dialect: DuckDB, over the views of views.sql.
with counted as (
  select
    recipe_id,
    bbox_frame,
    count(*) as boxes,
    count(*) filter (odd) as odd,
    count(*) filter (as_pixel) as as_pixel,
    count(*) filter (as_norm1000) as as_norm1000,
    count(*) filter (as_relative) as as_relative,
    count(*) filter (as_pixel_yx) as as_pixel_yx,
    count(*) filter (as_full_pixel) as as_full_pixel
  from boxes
  group by recipe_id, bbox_frame
)
select
  left(r.sha256, 8) as recipe,
  r.model,
  c.bbox_frame,
  c.boxes,
  c.odd,
  c.odd / c.boxes as share,
  share_low(c.odd, c.boxes) as share_low,
  share_high(c.odd, c.boxes) as share_high,
  c.odd >= 5 and c.odd >= 0.05 * c.boxes as alarm,
  case
    when c.odd = 0 then null
    when c.as_pixel >= greatest(c.as_norm1000, c.as_relative, c.as_pixel_yx, c.as_full_pixel)
      then 'pixel'
    when c.as_norm1000 >= greatest(c.as_relative, c.as_pixel_yx, c.as_full_pixel) then 'norm1000'
    when c.as_relative >= greatest(c.as_pixel_yx, c.as_full_pixel) then 'relative'
    when c.as_pixel_yx >= c.as_full_pixel then 'pixel_yx'
    else 'full_pixel'
  end as looks_like,
  c.as_pixel,
  c.as_norm1000,
  c.as_relative,
  c.as_pixel_yx,
  c.as_full_pixel
from counted as c
join recipes as r on r.id = c.recipe_id
order by alarm desc, share desc, r.model, recipe
