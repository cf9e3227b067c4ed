-- Makes a reward spec the store's default in place of another.
-- Grain: one row. Dialect: SQLite.
update reward_specs
set is_default = 1
where id = :spec_id
