-- Removes the rewards of a response that is no longer the final one.
-- Grain: one row per spec. Dialect: SQLite.
delete from rewards
where trace_id = :trace_id and spec_id in (select id from reward_specs)
