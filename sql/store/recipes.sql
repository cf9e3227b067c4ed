-- Recipes, found by their hash.
-- Dialect: SQLite. A name in double braces stands for the part of that name.

-- name: put_recipe
-- Records a recipe; one that is known stays as it is.
-- Grain: one row per recipe.
insert or ignore into recipes (
  sha256, model, system_prompt, user_prompt, tools, protocol, bbox_frame, limits, temperature,
  max_tokens, seed, extra_body, max_calls_per_turn, max_nudges, answer_with_calls, reasoning_field,
  imported, created_at
)
values (
  :sha256, :model, :system_prompt, :user_prompt, :tools, :protocol, :bbox_frame, :limits,
  :temperature, :max_tokens, :seed, :extra_body, :max_calls_per_turn, :max_nudges,
  :answer_with_calls, :reasoning_field, :imported, :now
);

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
