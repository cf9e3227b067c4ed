-- How often teachers refuse: in words, by a field of the reply, by a filter, or by the server.
-- Grain: one row per recipe, with its model; over closed traces, each of which is in one column.
-- Parameters: none.
-- Units: counts of traces; shares from 0 to 1.
-- Columns:
--   answered           with coordinates, however unsure
--   refused_in_words   the final response refuses (answer_failure refused) and nothing else says so
--   refused_by_reply   its reply says by a field that it is a refusal (stop_reason refused)
--   content_filter     a filter cut the final response
--   server_refused     the trace failed, because the server refused its request: nothing was answered
--   other              any other end without coordinates
--   responses          traces with a final response: all but failed ones
--   refused_share      of responses, those refused in words or by the reply, with its 95 % interval (Wilson)
--   example, words     the first trace that was refused so, and the beginning of its final response
-- Dialect: DuckDB, over the views of views.sql.
with
ended as (
  select
    recipe,
    model,
    sample_index,
    trace,
    status,
    case
      when answer_lat is not null then 'answered'
      when status = 'failed' and stop_reason = 'refused' then 'server'
      when status <> 'failed' and stop_reason = 'refused' then 'reply'
      when stop_reason = 'content_filter' then 'filter'
      when answer_failure = 'refused' then 'words'
      else 'other'
    end as ending,
    -- What follows a thought that stands in the response, in any delimiters of a model.
    trim(regexp_replace(
      final_response,
      '^.*(?:</(?i:seed:think|longcat_think|mm:think|think|thinking|thoughts?|reasoning) ?>'
      || '|◁/think▷|\[/THINK\]|<[|]end_of_thought[|]>|<[|]END_THINKING[|]>|<channel[|]>'
      || '|<[|]close[|]>think<[|]sep[|]>|<[|]/think[|]>|<unused95>|<[|]inner_suffix[|]>)\s*',
      '',
      's'
    )) as words
  from trace_results
  where status <> 'open'
)
select
  recipe,
  model,
  count(*) as traces,
  count(*) filter (ending = 'answered') as answered,
  count(*) filter (ending = 'words') as refused_in_words,
  count(*) filter (ending = 'reply') as refused_by_reply,
  count(*) filter (ending = 'filter') as content_filter,
  count(*) filter (ending = 'server') as server_refused,
  count(*) filter (ending = 'other') as other,
  count(*) filter (status <> 'failed') as responses,
  count(*) filter (ending in ('words', 'reply')) / nullif(count(*) filter (status <> 'failed'), 0)
    as refused_share,
  share_low(
    count(*) filter (ending in ('words', 'reply')), count(*) filter (status <> 'failed')
  ) as refused_share_low,
  share_high(
    count(*) filter (ending in ('words', 'reply')), count(*) filter (status <> 'failed')
  ) as refused_share_high,
  arg_min(trace, (sample_index, trace)) filter (ending in ('words', 'reply')) as example,
  substring(
    arg_min(words, (sample_index, trace)) filter (ending in ('words', 'reply')), 1, 240
  ) as words
from ended
group by recipe, model
order by refused_share desc nulls last, model, recipe
