-- The ended traces that a condition of the user's keeps.
-- Grain: one row per trace, by id. :since is null or an ISO-8601 UTC time. The condition stands in
-- place of the comment below; it is run where nothing can be written and no file can be opened.
-- Dialect: SQLite, over the view trace_facts.
select trace_id
from temp.trace_facts
where status in ('answered', 'exhausted')
  and (:since is null or closed_at >= :since)
  and (
/*condition*/
)
order by trace_id
