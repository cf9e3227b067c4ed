-- Records a recipe; one that is known stays as it is.
-- Grain: one row per recipe. Dialect: SQLite.
insert or ignore into recipes (
  sha256, model, system_prompt, user_prompt, tools, protocol, bbox_frame, limits, temperature,
  max_tokens, seed, extra_body, max_calls_per_turn, max_nudges, answer_with_calls, imported, created_at
)
values (
  :sha256, :model, :system_prompt, :user_prompt, :tools, :protocol, :bbox_frame, :limits,
  :temperature, :max_tokens, :seed, :extra_body, :max_calls_per_turn, :max_nudges,
  :answer_with_calls, :imported, :now
)
