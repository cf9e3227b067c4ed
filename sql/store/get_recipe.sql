-- A recipe by its id.
-- Grain: one row. Dialect: SQLite.
select
  sha256, model, system_prompt, user_prompt, tools, protocol, bbox_frame, limits, temperature,
  max_tokens, seed, extra_body, max_calls_per_turn, max_nudges, answer_with_calls, imported
from recipes
where id = :recipe_id
