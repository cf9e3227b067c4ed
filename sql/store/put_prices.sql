-- Records what a model's tokens cost; later prices replace earlier ones.
-- Grain: one row per model. Prices per million tokens; a null for cached: as in. Dialect: SQLite.
insert into prices (
  model, per_million_in, per_million_out, per_million_cached, created_at, updated_at
)
values (:model, :per_million_in, :per_million_out, :per_million_cached, :now, :now)
on conflict (model) do update
  set per_million_in = excluded.per_million_in,
    per_million_out = excluded.per_million_out,
    per_million_cached = excluded.per_million_cached,
    updated_at = excluded.updated_at
  where (per_million_in, per_million_out, per_million_cached)
    is not (excluded.per_million_in, excluded.per_million_out, excluded.per_million_cached)
