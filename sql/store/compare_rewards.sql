-- The scores that two reward specs give to the same traces.
-- Grain: one row per trace that has a reward of both of the same reading, by id. A score is null
-- where it is not known. Dialect: SQLite.
select a.trace_id, a.score as score, b.score as other_score
from rewards as a
join rewards as b
  on b.spec_id = :other_id and b.trace_id = a.trace_id and b.parser_version = a.parser_version
where a.spec_id = :spec_id
order by a.trace_id
