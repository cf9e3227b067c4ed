-- How fast runs went and which requests failed, over time.
-- Grain: one row per stretch of time in which a run got a response, met an error or closed a trace, in
-- order; over all runs. What was imported is left out.
-- Parameters:
--   minutes  integer from 1 to 525600, default 60: the length of a stretch
-- Units: minutes, tokens, milliseconds; times in UTC; shares from 0 to 1.
-- Columns:
--   start            of the stretch
--   responses        turns that were answered; errors: requests that failed, also those that were sent
--                    again and then succeeded
--   error_share      errors of both, with its 95 % interval (Wilson)
--   errors_by_class  the most frequent first
--   closed           traces that were closed, by any end
--   tokens           of the responses and of billed errors, as far as the server counted them;
--                    tokens_per_minute: over the whole stretch, also where a run had not begun or was over
--   p50_latency_ms, p95_latency_ms
--                    half, and 19 of 20, of the responses took at most so long
-- Dialect: DuckDB, over the views of views.sql.
with
answered as (
  select
    time_bucket(to_minutes($minutes), try_cast(created_at as timestamp)) as start,
    count(*) as responses,
    sum(total_tokens) as tokens,
    -- Both in one list would take twice as long.
    quantile_cont(latency_ms, 0.5) as p50_latency_ms,
    quantile_cont(latency_ms, 0.95) as p95_latency_ms
  from turns
  where run_id is not null
  group by start
),
failed as (
  select
    time_bucket(to_minutes($minutes), try_cast(created_at as timestamp)) as start,
    error_class,
    count(*) as errors,
    sum(total_tokens) as tokens
  from attempts
  where run_id is not null
  group by start, error_class
),
failures as (
  select
    start,
    sum(errors) filter (error_class <> 'probe') as errors,
    sum(tokens) as tokens,
    string_agg(format('{} {}', error_class, errors), ', ' order by errors desc, error_class)
      filter (error_class <> 'probe') as errors_by_class
  from failed
  group by start
),
closings as (
  select time_bucket(to_minutes($minutes), try_cast(closed_at as timestamp)) as start, count(*) as closed
  from traces
  where status <> 'open'
    and id not in (select trace_id from imports)
  group by start
),
-- A stretch may hold errors alone, and a stretch before this one the responses of its traces.
stretches as (
  select start from answered
  union
  select start from failures
  union
  select start from closings
)
select
  strftime(s.start, '%Y-%m-%dT%H:%M:%SZ') as start,
  coalesce(a.responses, 0) as responses,
  coalesce(f.errors, 0)::bigint as errors,
  coalesce(f.errors, 0) / nullif(coalesce(f.errors, 0) + coalesce(a.responses, 0), 0) as error_share,
  share_low(coalesce(f.errors, 0), coalesce(f.errors, 0) + coalesce(a.responses, 0))
    as error_share_low,
  share_high(coalesce(f.errors, 0), coalesce(f.errors, 0) + coalesce(a.responses, 0))
    as error_share_high,
  f.errors_by_class,
  coalesce(c.closed, 0) as closed,
  (coalesce(a.tokens, 0) + coalesce(f.tokens, 0))::bigint as tokens,
  (coalesce(a.tokens, 0) + coalesce(f.tokens, 0)) / $minutes as tokens_per_minute,
  a.p50_latency_ms,
  a.p95_latency_ms
from stretches as s
left join answered as a on a.start is not distinct from s.start
left join failures as f on f.start is not distinct from s.start
left join closings as c on c.start is not distinct from s.start
order by s.start
