-- Leaves the store without a default reward spec, so that another can be made it.
-- Grain: at most one row. Dialect: SQLite.
update reward_specs
set is_default = 0
where is_default = 1
