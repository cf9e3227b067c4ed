-- Images of imported traces that were made again, and what could be proven of them.
-- Dialect: SQLite. A name in double braces stands for the part of that name.

-- part: of_files
-- Whether a trace, t, is of the file :path, or of one whose path begins as a text of :starts.
-- :starts is a JSON array.
exists (
  select 1
  from imports as i
  where i.trace_id = t.id
    and (
      i.path = :path
      or exists (
        select 1 from json_each(:starts) where substr(i.path, 1, length(value)) = value
      )
    )
)

-- part: unproven
-- Imported traces, t, whose photo is known and whose images were not made yet; with a :bbox_frame
-- also those of files (see of_files) whose boxes were read in another frame.
from recipes as r
join traces as t on t.recipe_id = r.id
join samples as s on s.id = t.sample_id
where r.imported is not null
  and s.image_sha256 is not null
  and exists (select 1 from imports where trace_id = t.id)
  and (
    not exists (select 1 from image_proofs where trace_id = t.id)
    or (
      :bbox_frame is not null
      and not exists (
        select 1 from image_proofs where trace_id = t.id and bbox_frame = :bbox_frame
      )
      and exists (select 1 from tool_calls where trace_id = t.id)
      and {{of_files}}
    )
  )

-- name: put_image_proof
-- Records what could be proven of an image of an imported trace.
-- Grain: one row per trace and image.
insert or ignore into image_proofs (
  trace_id, image_index, turn, proof, file_sha256, difference, why, making, bbox_frame
)
values (
  :trace_id, :image_index, :turn, :proof, :file_sha256, :difference, :why, :making, :bbox_frame
);

-- name: image_proofs_of_traces
-- What could be proven of the images of some traces; behind the trace's id stand the fields of
-- proofs.ImageProof in their order.
-- Grain: one row per image, in order. :trace_ids is a JSON array.
select trace_id, image_index, proof, turn, file_sha256, difference, why, making
from image_proofs
where trace_id in (select value from json_each(:trace_ids))
order by trace_id, image_index;

-- name: put_remade_call
-- Completes the row of an imported call with what the file does not say.
-- Grain: at most one row. Box in source pixels, angle in degrees.
update tool_calls
set arguments = :arguments, source_index = :source_index, box_left = :box_left, box_top = :box_top,
  box_right = :box_right, box_bottom = :box_bottom, angle = :angle, flags = :flags,
  image_index = :image_index, image_sha256 = :image_sha256, image_width = :image_width,
  image_height = :image_height, full_width = :full_width, full_height = :full_height,
  image_pixels_xxh128 = :image_pixels_xxh128
where trace_id = :trace_id and turn = :turn and call_index = :call_index;

-- name: put_remade_photo
-- Sets the photo of an imported trace as it was sent; null: it is not known.
-- Grain: at most one row.
update traces
set sent_sha256 = :sha256, sent_pixels_xxh128 = :pixels_xxh128, sent_width = :width,
  sent_height = :height
where id = :trace_id;

-- name: unproven_recipes
-- Imported recipes with traces whose images are to be made, as unproven_traces.
-- Grain: one row per recipe, in order.
select t.recipe_id, r.model, count(*) as traces
{{unproven}}
group by t.recipe_id
order by t.recipe_id;

-- name: unproven_traces
-- The traces of a recipe whose images are to be made.
-- Grain: one row per trace, in order. As unproven_recipes.
select t.id as trace_id
{{unproven}}
  and t.recipe_id = :recipe_id
order by t.id;

-- name: files_of_trace
-- The files that a trace was imported from, and the hash of what was read there.
-- Grain: one row per file, by path.
select path, sha256
from imports
where trace_id = :trace_id
order by path;

-- name: forget_image_proofs
-- Forgets what was proven of the images of a trace.
-- Grain: one row per image.
delete from image_proofs
where trace_id = :trace_id;

-- name: confirm_box_frame
-- Records that the user named the frame in which the boxes of some files are read already.
-- Grain: one row per recipe. :path and :starts are as in of_files.
update box_frames
set known_by = 'given'
where bbox_frame = :bbox_frame
  and recipe_id in (select t.recipe_id from traces as t where {{of_files}});

-- name: put_box_frame
-- Records how the boxes of an imported recipe are read.
-- Grain: one row per recipe.
insert into box_frames (
  recipe_id, bbox_frame, known_by, boxes, fitting, others, edges, sources, cut_from, created_at
)
values (
  :recipe_id, :bbox_frame, :known_by, :boxes, :fitting, :others, :edges, :sources, :cut_from, :now
)
on conflict (recipe_id) do update set
  bbox_frame = excluded.bbox_frame, known_by = excluded.known_by, boxes = excluded.boxes,
  fitting = excluded.fitting, others = excluded.others, edges = excluded.edges,
  sources = excluded.sources, cut_from = excluded.cut_from, created_at = excluded.created_at;

-- name: find_box_frame
-- How the boxes of an imported recipe are read, where that was found out.
-- Grain: at most one row.
select bbox_frame, known_by, boxes, fitting, others, edges, sources, cut_from
from box_frames
where recipe_id = :recipe_id;
