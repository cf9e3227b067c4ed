-- How many rewards a spec has.
-- Grain: one row. Dialect: SQLite.
select count(*) as rewards
from rewards
where spec_id = :spec_id
