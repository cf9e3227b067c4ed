-- What tokens cost, and a quick way to add them up.
-- Dialect: SQLite, STRICT tables. Times are ISO-8601 UTC text.

-- One row per model: the prices that a run was last given for it, so that costs can be told later.
-- A price is no part of a recipe: it changes nothing of what is asked.
create table prices (
  model text not null primary key,       -- as in recipes
  per_million_in real not null check (per_million_in >= 0),   -- prompt tokens, in any one currency
  per_million_out real not null check (per_million_out >= 0), -- completion tokens
  per_million_cached real check (per_million_cached >= 0),    -- cached prompt tokens; null: as in
  created_at text not null,
  updated_at text not null
) strict, without rowid;

-- A run with a budget adds up all turns of its model when it starts, and a status those of a run.
-- Everything they read stands in this index, so that the long texts of three million turns are not
-- read for it; a turn's commit pays some microseconds and 50 bytes.
create index turns_by_run on turns (
  run_id, trace_id, prompt_tokens, completion_tokens, cached_tokens, total_tokens, created_at
);
