-- Recipes, found by their hash.
-- Dialect: SQLite. A name in double braces stands for the part of that name.

-- name: put_recipe
-- Records a recipe; one that is known stays as it is.
-- Grain: one row per recipe.
insert or ignore into recipes (
  sha256, model, system_prompt, user_prompt, tools, protocol, bbox_frame, limits, temperature,
  max_tokens, seed, extra_body, max_calls_per_turn, max_nudges, answer_with_calls, reasoning_field,
  imported, has_calls, created_at
)
values (
  :sha256, :model, :system_prompt, :user_prompt, :tools, :protocol, :bbox_frame, :limits,
  :temperature, :max_tokens, :seed, :extra_body, :max_calls_per_turn, :max_nudges,
  :answer_with_calls, :reasoning_field, :imported, :has_calls, :now
);

-- name: mark_recipe_with_calls
-- Notes that a trace of an imported recipe, whose files do not say which tools there were, has a call.
-- Grain: at most one row.
update recipes
set has_calls = 1
where id = :recipe_id and has_calls = 0 and tools is null;

-- name: find_recipe
-- The id of a recipe by its hash.
-- Grain: at most one row.
select id
from recipes
where sha256 = :sha256;

-- name: get_recipe
-- A recipe by its id.
-- Grain: one row.
select
  sha256, model, system_prompt, user_prompt, tools, protocol, bbox_frame, limits, temperature,
  max_tokens, seed, extra_body, max_calls_per_turn, max_nudges, answer_with_calls, reasoning_field,
  imported
from recipes
where id = :recipe_id;

-- name: recipe_names
-- What traces may be chosen by: the hash and the teacher of each recipe.
-- Grain: one row per recipe.
select sha256, model
from recipes
order by id;
