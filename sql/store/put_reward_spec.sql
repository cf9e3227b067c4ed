-- Records a reward spec; one that is known stays as it is.
-- Grain: one row per spec. Dialect: SQLite.
insert or ignore into reward_specs (sha256, name, kind, parameters, code_version, created_at)
values (:sha256, :name, :kind, :parameters, :code_version, :now)
