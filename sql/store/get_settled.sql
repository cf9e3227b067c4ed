-- How far the log is dealt with for a parser version (kind answers) or a reward spec (rewards).
-- Grain: at most one row. Dialect: SQLite.
select log_id
from settled
where kind = :kind and version = :version
