-- The reward specs that a name, or the start of a hash, may mean.
-- Grain: one row per spec, the oldest first. :name is compared whole with names and with the starts
-- of hashes; null finds all. :default 1 finds the default alone. Dialect: SQLite.
select id, sha256, name, kind, parameters, code_version, is_default, created_at
from reward_specs
where (:name is null or name = :name or substr(sha256, 1, length(:name)) = :name)
  and (:default = 0 or is_default = 1)
order by id
