-- Makes a trace, open and unclaimed; one that is known stays as it is.
-- Grain: one row per sample x recipe x rollout. Dialect: SQLite.
insert or ignore into traces (sample_id, recipe_id, rollout, created_at)
values (:sample_id, :recipe_id, :rollout, :now)
