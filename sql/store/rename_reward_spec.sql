-- Gives a reward spec another name.
-- Grain: one row. Dialect: SQLite.
update reward_specs
set name = :name
where id = :spec_id
