-- Whether a condition of the user's is one expression, which it need not be to fit into a where.
-- Grain: no row. Dialect: SQLite, over the view trace_facts.
select (
/*condition*/
)
from temp.trace_facts
limit 0
