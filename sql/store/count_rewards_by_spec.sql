-- What each reward spec has.
-- Grain: one row per spec that has a reward. scored: with a score. failed: whose custom function
-- failed. Dialect: SQLite.
select
  spec_id,
  count(*) as rewards,
  count(score) as scored,
  count(*) filter (where score is null and json_extract(extra, '$.error') is not null) as failed
from rewards
group by spec_id
