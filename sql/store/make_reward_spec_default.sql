-- Makes a reward spec the store's default where the store has none.
-- Grain: at most one row. Dialect: SQLite.
update reward_specs
set is_default = 1
where id = :spec_id
  and not exists (select 1 from reward_specs where is_default = 1)
