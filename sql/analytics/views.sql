-- The views that every question may use; made anew for each connection, never stored.
-- Grain: for questions, recipe_results (one row per recipe), accuracy_results (per recipe and measure
-- of accuracy), trace_results (per trace), turn_results (per turn), tool_results (per tool call) and
-- boxes (per tool call that names a box of an image that there is). Under them: trace_names (one row
-- per trace), all_facts (per trace: the table trace_facts, and the same of open traces),
-- billed_failures (per failed request that was billed), and result_sums and accuracy_sums (as
-- recipe_results and accuracy_results, and the same over the store).
-- Parameters: three variables. reward_spec, the sha256 of the reward spec that scores are taken from;
-- null for the store's default. accuracy_km, the list of the distances of accuracy, in km.
-- with_responses, whether a statement asks for final_response; else that is null.
-- Units: km, degrees, tokens, milliseconds; shares from 0 to 1; costs in the currency of the table
-- prices; times as ISO-8601 text, UTC.
-- Dialect: DuckDB, with the store attached and in use.

-- What tokens cost. cached and written are parts of prompt; prices are per million tokens, and where
-- one for cached or written tokens is null, they cost what others do. price: a row of prices.
create temp macro cost_of(prompt, cached, written, completion, price) as
  (
    (prompt - cached - written) * struct_extract(price, 'per_million_in')
    + cached * coalesce(
        struct_extract(price, 'per_million_cached'), struct_extract(price, 'per_million_in')
      )
    + written * coalesce(
        struct_extract(price, 'per_million_cache_write'), struct_extract(price, 'per_million_in')
      )
    + completion * struct_extract(price, 'per_million_out')
  ) / 1e6;

-- How many of a prompt's tokens were read from the server's cache, and how many written to it. Some
-- servers report more than the prompt has, and a cost must not go below 0.
create temp macro cached_in(prompt, cached) as least(coalesce(cached, 0), coalesce(prompt, 0));
create temp macro written_in(prompt, cached, written) as
  least(coalesce(written, 0), coalesce(prompt, 0) - cached_in(prompt, cached));

-- The distances of accuracy in km, the nearest first. Questions call this macro, because a statement
-- of a user's may not read variables.
create temp macro accuracy_km() as getvariable('accuracy_km');

-- Whether a score is good enough for training; the same bound as ACCEPTED_SCORE of geostore.records.
create temp macro is_accepted(score) as score >= 0.3;

-- The distance between two points in km, on a sphere of radius 6371.0; null where one has no place.
create temp macro km_between(lat_a, lon_a, lat_b, lon_b) as
  -- "least" alone would take its 1 where there is no place, and give half around the Earth.
  if(lat_a is null or lat_b is null, null, 2 * 6371.0 * asin(least(1.0, sqrt(
    sin(radians(lat_a - lat_b) / 2) ** 2
    + cos(radians(lat_a)) * cos(radians(lat_b)) * sin(radians(lon_a - lon_b) / 2) ** 2
  ))));

-- The 95 % interval of a share: hits of n, each of which could have been one. By Wilson, which holds for
-- few and for shares near 0 and 1; 1.959964 standard deviations hold 95 %. Null where n is 0.
-- Source: Wilson 1927, https://doi.org/10.1080/01621459.1927.10502953.
create temp macro share_bound(hits, n, side) as
  (
    (hits + 1.959963984540054 ** 2 / 2)
    + side * 1.959963984540054 * sqrt(hits * (n - hits) / n + 1.959963984540054 ** 2 / 4)
  ) / (n + 1.959963984540054 ** 2);
create temp macro share_low(hits, n) as
  case when n > 0 then if(hits = 0, 0.0, share_bound(hits, n, -1)) end;
create temp macro share_high(hits, n) as
  case when n > 0 then if(hits = n, 1.0, share_bound(hits, n, 1)) end;

-- The part of the range from 0 to 1 in which a number lies, of so many equal parts: 1 for the lowest.
-- A part holds its lower bound and not its upper one; the last holds both. What lies outside counts
-- with the part beside it. A number of 32 bits, such as 0.7, may be stored a little below its value.
create temp macro bin_of(x, bins) as
  case
    when x is not null then greatest(1, least(bins, floor(x * bins + 1e-6) + 1))::integer
  end;
-- The bounds of such a part, as text.
create temp macro bin_name(bin, bins) as printf('%.4g-%.4g', (bin - 1) / bins, bin / bins);
-- The tenth of a locatability: 1 the hardest, below 0.1; 10 the easiest; null where it is not known.
create temp macro decile(locatability) as bin_of(locatability, 10);

-- The chance that at least one of k rollouts passes, from n rollouts of which c passed: the share of all
-- choices of k of them that hold one which did. Null where n is less than k.
-- Source: Chen et al. 2021, https://arxiv.org/abs/2107.03374, section 2.1.
create temp macro pass_at(k, n, c) as
  case
    when n >= k
      then 1 - list_product(list_transform(range(k::bigint), lambda i: (n - c - i) / (n - i)))
  end;

-- The chance that of n numbers, sorted from the least, the one at a place (from 1) is the greatest of k
-- that are drawn from them: so the mean of a best of k is the sum of all numbers by these weights.
-- 0 for k = 0. It is C(place - 1, k - 1) / C(n, k), of which each factor is one step of the product.
create temp macro best_weight(place, k, n) as
  k / n * coalesce(
    list_product(list_transform(range(k::bigint - 1), lambda i: (place - 1 - i) / (n - 1 - i))), 1
  );

-- The 95 % interval of a quotient of two sums over pairs, samples or traces, as {low, high}. They are
-- put into up to 400 groups by bootstrap_group(id); sums and counts are lists of what is above and
-- below the line, one element a group and without nulls, both in the order of the groups:
--   bootstrap(list(km order by g), list(pairs order by g)), over one row per group g
-- Null for less than two groups, and where all are alike, because neither tells how far such a quotient
-- may be off. Each of 1,000 replicates gives each group
-- a weight, exponential with mean 1 (the Bayesian bootstrap), by a fixed rule, so the same rows give
-- the same interval.
-- Source: Rubin 1981, https://doi.org/10.1214/aos/1176345338.
create temp macro mixed_first(x) as xor(x, x >> 16) * 2246822507 & 4294967295;
create temp macro mixed_second(x) as xor(x, x >> 13) * 3266489909 & 4294967295;
create temp macro mixed_last(x) as xor(x, x >> 16);
-- 32 bits that look random, from a number from 0: the last step of MurmurHash3, so no version of DuckDB
-- gives others, as hash() may.
create temp macro mixed(x) as
  mixed_last(mixed_second(mixed_first(x::ubigint & 4294967295)));
create temp macro bootstrap_group(id) as (mixed(id) % 400)::integer;
create temp macro bootstrap(sums, counts) as (
  with
  replicates as (
    select list(-ln((mixed(number) + 0.5) / 4294967296) order by number) as weights
    from range(400000) as numbers(number)
    group by number // 400
  ),
  quotients as (
    select
      list_dot_product(sums::double[], weights[:len(sums)])
        / nullif(list_dot_product(counts::double[], weights[:len(sums)]), 0) as quotient
    from replicates
    where len(sums) > 1
  ),
  bounds as (
    select quantile_cont(quotient, [0.025, 0.975]) as bounds
    from quotients
  )
  select
    if(
      bounds[2] - bounds[1] > 1e-12 * abs(bounds[1] + bounds[2]),
      {'low': bounds[1], 'high': bounds[2]},
      null
    )
  from bounds
);

-- One row per failed request that was billed. Unlike elsewhere, a count that the server did not
-- report is 0; cached_tokens and cache_write_tokens are parts of prompt_tokens, and total_tokens are
-- the sum of prompt and completion where the server did not report it.
--   estimated_tokens  tokens beside the others that were only estimated
--   uncounted         whether the server did not count the prompt or the completion
--   cost              of what was counted; null where the model has no price
create temp view billed_failures as
select
  a.trace_id,
  a.turn,
  a.attempt,
  a.run_id,
  a.service_tier,
  coalesce(a.prompt_tokens, 0) as prompt_tokens,
  cached_in(a.prompt_tokens, a.cached_tokens) as cached_tokens,
  written_in(a.prompt_tokens, a.cached_tokens, a.cache_write_tokens) as cache_write_tokens,
  coalesce(a.completion_tokens, 0) as completion_tokens,
  coalesce(a.total_tokens, coalesce(a.prompt_tokens, 0) + coalesce(a.completion_tokens, 0))
    as total_tokens,
  if(
    a.total_tokens is null,
    coalesce(a.estimated_prompt_tokens, 0) + coalesce(a.estimated_completion_tokens, 0),
    0
  ) as estimated_tokens,
  a.prompt_tokens is null or a.completion_tokens is null as uncounted,
  a.stated_cost,
  cost_of(
    coalesce(a.prompt_tokens, 0),
    cached_in(a.prompt_tokens, a.cached_tokens),
    written_in(a.prompt_tokens, a.cached_tokens, a.cache_write_tokens),
    coalesce(a.completion_tokens, 0),
    if(o.model is null, p, o)
  ) as cost
from attempts as a
join traces as t on t.id = a.trace_id
join recipes as r on r.id = t.recipe_id
left join prices as p on p.model = r.model and p.tier = ''
left join prices as o on o.model = r.model and o.tier = a.service_tier
where a.usage is not null or a.estimated_completion_tokens is not null;

-- One row per trace: its name, its sample and its recipe, as the public views show them.
create temp view trace_names as
select
  t.id as trace_id,
  coalesce(d.label || ':', '') || s.sample_index || '-' || substr(r.sha256, 1, 8) || '-' || t.rollout
    as trace,
  d.name as dataset,
  s.id as sample_id,
  s.sample_index,
  s.lat,
  s.lon,
  s.locatability_score,
  s.country,
  substr(r.sha256, 1, 8) as recipe,
  r.model,
  coalesce(r.tools <> '[]', r.has_calls = 1) as with_tools,
  t.rollout,
  t.status,
  t.stop_reason
from traces as t
join samples as s on s.id = t.sample_id
join datasets as d on d.id = s.dataset_id
join recipes as r on r.id = t.recipe_id;

-- One row per trace: the table trace_facts, which has the closed ones, and the same columns of those
-- that are open. SQLite gathers the latter, which are few and found in an index. What it gathers
-- arrives as text; 17 digits are enough for each fraction to be the same afterwards.
create temp view all_facts as
select *
from store.trace_facts
union all
select
  trace_id::bigint,
  sample_id::bigint,
  sample_index::bigint,
  dataset_id::bigint,
  recipe_id::bigint,
  rollout::bigint,
  status,
  stop_reason,
  lat::double,
  lon::double,
  locatability_score::double,
  country,
  turns::bigint,
  tool_calls::bigint,
  failed_tool_calls::bigint,
  prompt_tokens::bigint,
  completion_tokens::bigint,
  total_tokens::bigint,
  cached_tokens::bigint,
  cache_write_tokens::bigint,
  estimated_tokens::bigint,
  uncounted_turns::bigint,
  service_tier,
  billed_prompt::bigint,
  billed_cached::bigint,
  billed_cache_write::bigint,
  billed_completion::bigint,
  other_tiers,
  stated_cost::double,
  parser_version::bigint,
  answer_lat::double,
  answer_lon::double,
  answer_form,
  answer_failure,
  flags,
  said_region,
  said_city,
  confidence::double,
  confidence_form,
  reward_version::bigint,
  distance_km::double,
  score::double,
  geoguessr_points::bigint,
  true_gazetteer::bigint,
  true_country,
  true_region,
  true_city,
  stated_country,
  answer_gazetteer::bigint,
  answer_country,
  answer_region,
  answer_city,
  country_correct::bigint,
  region_correct::bigint,
  city_correct::bigint,
  country_correct_or_0::bigint,
  region_correct_or_0::bigint,
  city_correct_or_0::bigint,
  said_country,
  said_true_country::bigint,
  said_true_region::bigint,
  said_true_city::bigint
from sqlite_query('store', $$
  select
    trace_id,
    sample_id,
    sample_index,
    dataset_id,
    recipe_id,
    rollout,
    status,
    stop_reason,
    iif(lat is null, null, printf('%!.17g', lat)) as lat,
    iif(lon is null, null, printf('%!.17g', lon)) as lon,
    iif(locatability_score is null, null, printf('%!.17g', locatability_score)) as locatability_score,
    country,
    turns,
    tool_calls,
    failed_tool_calls,
    prompt_tokens,
    completion_tokens,
    total_tokens,
    cached_tokens,
    cache_write_tokens,
    estimated_tokens,
    uncounted_turns,
    service_tier,
    billed_prompt,
    billed_cached,
    billed_cache_write,
    billed_completion,
    other_tiers,
    iif(stated_cost is null, null, printf('%!.17g', stated_cost)) as stated_cost,
    parser_version,
    iif(answer_lat is null, null, printf('%!.17g', answer_lat)) as answer_lat,
    iif(answer_lon is null, null, printf('%!.17g', answer_lon)) as answer_lon,
    answer_form,
    answer_failure,
    flags,
    said_region,
    said_city,
    iif(confidence is null, null, printf('%!.17g', confidence)) as confidence,
    confidence_form,
    reward_version,
    iif(distance_km is null, null, printf('%!.17g', distance_km)) as distance_km,
    iif(score is null, null, printf('%!.17g', score)) as score,
    geoguessr_points,
    true_gazetteer,
    true_country,
    true_region,
    true_city,
    stated_country,
    answer_gazetteer,
    answer_country,
    answer_region,
    answer_city,
    country_correct,
    region_correct,
    city_correct,
    country_correct_or_0,
    region_correct_or_0,
    city_correct_or_0,
    said_country,
    said_true_country,
    said_true_region,
    said_true_city
  from trace_facts_now
  where trace_id in (
    select id from traces where recipe_id in (select id from recipes) and status = 'open'
  )
$$);

-- One row per trace, with its sample, its recipe, its cost, its result and its places.
--   lat, lon             the truth in degrees
--   trace                its public name, which never changes; for every dataset but the store's first,
--                        a label and a colon stand before it
--   recipe               first 8 hex of the recipe's hash
--   model, with_tools    of the recipe, and whether it offers any tool; a model is null where the
--                        trace was imported and its file does not name it. Where files do not say
--                        which tools there were, a recipe with a call in one of them has tools
--   tool_calls           all calls; failed_tool_calls: those without a result
--   *_tokens             sums over the turns, as billed; null where the server reported none
--   cached_tokens        the part of prompt_tokens that the server had cached; cache_write_tokens: the
--                        part that it wrote to its cache
--   estimated_tokens     beside those: a guess from the size of text and images, for turns whose
--                        tokens the server did not count (uncounted_turns). In no cost; a budget
--                        counts them
--   cost                 of all turns and billed failures, in the currency of the table prices, by
--                        the service tier of each; null where that has no row for the model. A count
--                        the server did not report is 0
--   stated_cost          what the server itself says that it charged (OpenRouter), in its own currency;
--                        null where it never said
--   unpriced_turns       turns whose cost is not known: no price, or a count not reported
--   answer_*, flags      of the newest parser; null before the trace is closed, or where it failed
--   parse_success        whether coordinates were read; null without a reading
--   format_valid         whether they were read from a box or an answer tag, as was asked for;
--                        null without a reading
--   tool_validity        the share of tool calls that gave a result, 0..1; null without a call
--   distance_km, score, geoguessr_points
--                        of the store's default reward, or the one that --reward names; null where
--                        that is missing or of an older reading (geostore rescore computes it).
--                        Without coordinates distance and points are null, and the score too unless
--                        the reward says what it is then. Those of the reward imported are as the
--                        trace's file gives them
--   failure              whether a closed trace (answered, exhausted or failed) has no coordinates,
--                        or, under the reward imported, none by its file; null while it is open
--   distance_km_or_20000, score_or_0
--                        the same numbers with a failure as 20,000 km, and as score 0 unless the
--                        reward gives it a score of its own: a mean that leaves failures out rewards a
--                        teacher for not answering, so summaries give both; null while the trace is open
--   final_response       of a trace that is closed: its last response
--   said_region, said_city
--                        that the answer names in words, as it was written; null where it names none
--   confidence           that the answer states, from 0 to 1, and confidence_form, how it was written;
--                        null where it states none
--   said_country         the country that the answer names in words, as ISO code; null where it names
--                        none that is known. The words themselves are in the table answers
--   said_true_country, said_true_region, said_true_city
--                        whether the answer's words name that of the true coordinates, 1 or 0; null where
--                        they name none, the truth has none, or it was not computed yet
--   stated_country       the country that the dataset's own column names, as ISO code; null where that
--                        names none that is known
--   true_*, answer_*     country (ISO code), region (of GeoNames, such as US.CA) and city (the nearest
--                        place in GeoNames) of the true and of the answered coordinates, both by the
--                        newest gazetteer that placed both; null out at sea, without coordinates, and
--                        where they were not computed yet (geostore rescore does). Where none placed
--                        both, true_* is null; of an answer that was never placed, it is the newest's
--   *_correct            whether both are the same, 1 or 0; null where the answer has no coordinates,
--                        the truth is out at sea, or a place was not computed yet
--   *_correct_or_0       the same, but 0 for a closed trace without coordinates
-- What is asked of another reward than the default, or of final_response, is read from its own table,
-- and only then: DuckDB drops a join whose right side can have no row. final_response reads all
-- responses, so do not select it from large stores without need.
create temp view trace_results as
with
chosen_rewards as (
  select trace_id, parser_version, distance_km, score, geoguessr_points
  from rewards
  where getvariable('reward_spec') is not null
    and spec_id = (select id from reward_specs where sha256 = getvariable('reward_spec'))
),
rewarded as (
  select
    f.* exclude (reward_version, distance_km, score, geoguessr_points),
    -- A reward of an older reading is none. The versions are compared here, because in the join DuckDB
    -- would compare each trace with every other one.
    case
      when getvariable('reward_spec') is null then f.reward_version
      when w.parser_version in (0, f.parser_version) then w.parser_version
    end as reward_version,
    case
      when getvariable('reward_spec') is null then f.distance_km
      when w.parser_version in (0, f.parser_version) then w.distance_km
    end as distance_km,
    case
      when getvariable('reward_spec') is null then f.score
      when w.parser_version in (0, f.parser_version) then w.score
    end as score,
    case
      when getvariable('reward_spec') is null then f.geoguessr_points
      when w.parser_version in (0, f.parser_version) then w.geoguessr_points
    end as geoguessr_points
  from all_facts as f
  left join chosen_rewards as w on w.trace_id = f.trace_id
),
-- failed: whether there is no answer: none that was read, or under a file's reward none that the file
-- could read: no distance, and no score but one beside 0 points.
judged as (
  select
    *,
    if(
      reward_version = 0,
      distance_km is null and (score is null or coalesce(geoguessr_points, 1) = 0),
      answer_lat is null
    ) as failed
  from rewarded
),
responses as (
  select trace_id, arg_max(response, turn) as final_response
  from turns
  where getvariable('with_responses')
  group by trace_id
),
-- What the tokens of further service tiers cost. Nearly every trace has one tier, and SQLite finds the
-- others in an index.
other_costs as (
  select
    b.trace_id::bigint as trace_id,
    sum(
      cost_of(
        b.prompt::bigint,
        b.cached::bigint,
        b.cache_write::bigint,
        b.completion::bigint,
        if(o.model is null, p, o)
      )
    ) as cost
  from sqlite_query('store', $$
    select
      f.trace_id,
      f.recipe_id,
      json_extract(j.value, '$[0]') as tier,
      json_extract(j.value, '$[1]') as prompt,
      json_extract(j.value, '$[2]') as cached,
      json_extract(j.value, '$[3]') as cache_write,
      json_extract(j.value, '$[4]') as completion
    from (
      select trace_id, recipe_id, other_tiers
      from trace_facts
      where other_tiers is not null
      union all
      select trace_id, recipe_id, other_tiers
      from trace_facts_now
      where trace_id in (
        select id from traces where recipe_id in (select id from recipes) and status = 'open'
      )
    ) as f
    cross join json_each(f.other_tiers) as j
  $$) as b
  join recipes as r on r.id = b.recipe_id::bigint
  left join prices as p on p.model = r.model and p.tier = ''
  left join prices as o on o.model = r.model and o.tier = b.tier
  group by b.trace_id
)
select
  f.trace_id,
  coalesce(d.label || ':', '') || f.sample_index || '-' || substr(r.sha256, 1, 8) || '-' || f.rollout
    as trace,
  d.name as dataset,
  f.sample_id,
  f.sample_index,
  f.lat,
  f.lon,
  f.locatability_score,
  f.country,
  substr(r.sha256, 1, 8) as recipe,
  r.model,
  coalesce(r.tools <> '[]', r.has_calls = 1) as with_tools,
  f.rollout,
  f.status,
  f.stop_reason,
  f.turns,
  f.tool_calls,
  f.failed_tool_calls,
  f.prompt_tokens,
  f.completion_tokens,
  f.total_tokens,
  f.cached_tokens,
  f.cache_write_tokens,
  f.estimated_tokens,
  f.uncounted_turns,
  if(
    p.model is null,
    null,
    cost_of(
      f.billed_prompt,
      f.billed_cached,
      f.billed_cache_write,
      f.billed_completion,
      if(o.model is null, p, o)
    ) + coalesce(c.cost, 0)
  ) as cost,
  f.stated_cost,
  if(p.model is null, f.turns, f.uncounted_turns) as unpriced_turns,
  f.answer_lat,
  f.answer_lon,
  f.answer_failure,
  f.flags,
  if(f.parser_version is null, null, f.answer_failure is null) as parse_success,
  if(
    f.parser_version is null,
    null,
    coalesce(f.answer_failure is null and f.answer_form in ('boxed', 'answer'), false)
  ) as format_valid,
  if(f.tool_calls = 0, null, 1 - f.failed_tool_calls / f.tool_calls) as tool_validity,
  f.distance_km,
  f.score,
  f.geoguessr_points,
  if(f.status = 'open', null, f.failed) as failure,
  case
    when f.status = 'open' then null
    when f.failed then 20000.0
    else f.distance_km
  end as distance_km_or_20000,
  case
    when f.status = 'open' then null
    when f.failed then coalesce(f.score, 0.0)
    else f.score
  end as score_or_0,
  if(f.status = 'open', null, k.final_response) as final_response,
  f.said_region,
  f.said_city,
  f.confidence,
  f.confidence_form,
  f.said_country,
  f.stated_country,
  f.true_country,
  f.true_region,
  f.true_city,
  f.answer_country,
  f.answer_region,
  f.answer_city,
  f.country_correct::integer as country_correct,
  f.region_correct::integer as region_correct,
  f.city_correct::integer as city_correct,
  f.country_correct_or_0::integer as country_correct_or_0,
  f.region_correct_or_0::integer as region_correct_or_0,
  f.city_correct_or_0::integer as city_correct_or_0,
  f.said_true_country,
  f.said_true_region,
  f.said_true_city
from judged as f
join recipes as r on r.id = f.recipe_id
join datasets as d on d.id = f.dataset_id
left join prices as p on p.model = r.model and p.tier = ''
left join prices as o on o.model = r.model and o.tier = f.service_tier
left join other_costs as c on c.trace_id = f.trace_id
left join responses as k on k.trace_id = f.trace_id;

-- Every sum over traces that the named queries show, written once: one row per recipe, and one over
-- the store, whose recipe is null. The store's medians do not follow from those of its recipes, so
-- both are grouped here. The columns are those of recipe_results.
create temp view result_sums as
select
  recipe,
  model,
  with_tools,
  count(*) as traces,
  count(*) filter (where status = 'open') as open,
  count(*) filter (where status <> 'open') as closed,
  count(*) filter (where status = 'answered') as answered,
  count(*) filter (where status = 'exhausted') as exhausted,
  count(*) filter (where status = 'failed') as failed,
  count(*) filter (where not failure) as parsed,
  count(*) filter (where failure) as failures,
  count(*) filter (where not failure and distance_km is null) as unscored,
  count(score_or_0) as scored,
  count(*) filter (where is_accepted(score_or_0)) as accepted,
  avg((not failure)::integer) as parse_success_rate,
  avg(is_accepted(score_or_0)::integer) as accept_rate,
  avg(distance_km) as mean_km,
  median(distance_km) as median_km,
  avg(distance_km_or_20000) as mean_km_failures_20000,
  median(distance_km_or_20000) as median_km_failures_20000,
  avg(score) filter (where not failure) as mean_score,
  avg(score_or_0) as mean_score_failures_0,
  avg(geoguessr_points) as mean_geoguessr_points,
  avg((distance_km_or_20000 < 3)::integer) as under_3_km,
  avg((distance_km < 3)::integer) filter (where not failure) as under_3_km_parsed,
  coalesce(sum(turns), 0)::bigint as turns,
  avg(turns) as mean_turns,
  max(turns) as max_turns,
  coalesce(sum(tool_calls), 0)::bigint as tool_calls,
  coalesce(sum(failed_tool_calls), 0)::bigint as failed_tool_calls,
  1 - sum(failed_tool_calls) / nullif(sum(tool_calls), 0) as tool_success_rate,
  sum(prompt_tokens)::bigint as prompt_tokens,
  sum(cached_tokens)::bigint as cached_tokens,
  sum(cache_write_tokens)::bigint as cache_write_tokens,
  sum(completion_tokens)::bigint as completion_tokens,
  sum(total_tokens)::bigint as total_tokens,
  coalesce(sum(estimated_tokens), 0)::bigint as estimated_tokens,
  coalesce(sum(uncounted_turns), 0)::bigint as uncounted_turns,
  avg(total_tokens) as mean_tokens,
  avg(total_tokens) filter (where status <> 'open') as mean_tokens_closed,
  sum(cost) as cost,
  sum(cost) / nullif(count(cost) filter (where status <> 'open'), 0) as cost_per_trace,
  sum(cost) / nullif(count(cost) filter (where is_accepted(score_or_0)), 0)
    as cost_per_accepted_trace,
  sum(stated_cost) as stated_cost,
  coalesce(sum(unpriced_turns), 0)::bigint as unpriced_turns
from trace_results
group by grouping sets ((recipe, model, with_tools), ());

-- One row per recipe: what it was asked, how it answered, how far off it is, and what it cost.
--   recipe, model, with_tools
--                          as in trace_results
--   traces                 all of them; closed: those that are not open
--   answered, exhausted, failed
--                          closed traces by their status
--   parsed, failures       closed traces with coordinates, and without
--   unscored               parsed traces without a current reward (geostore rescore computes it)
--   scored                 closed traces that have a score or are failures
--   accepted, accept_rate  those with a score of at least 0.3; their share of the scored
--   parse_success_rate     share of the closed traces that are parsed
--   *_km, mean_score       of the parsed traces that have a distance or a score
--   *_failures_20000, *_failures_0
--                          the same with each failure as 20,000 km, and as score 0 unless the reward
--                          gives it a score of its own
--   under_3_km             share of traces less than 3 km off; a failure is a miss, and unscored
--                          traces are left out. *_parsed: failures are left out too
--   turns, tool_calls      sums over all traces, open ones too; failed_tool_calls are those without a
--                          result, tool_success_rate the share of the others, null without a call
--   *_tokens               sums over all traces; null where the server reported none.
--                          estimated_tokens and uncounted_turns as in trace_results
--   mean_tokens            over the traces whose tokens are known; mean_tokens_closed: closed ones
--   cost                   of all turns and billed failures; null where the model has no price
--   cost_per_trace         for each closed trace; cost_per_accepted_trace: for each accepted one
--   stated_cost            as in trace_results
--   unpriced_turns         turns whose cost is not known in full: no price, or a count not reported
create temp view recipe_results as
select *
from result_sums
where recipe is not null;

-- Closed traces of which a place is not computed yet, that of the photo or that of the answer.
create temp view unplaced as
select f.trace_id, substr(r.sha256, 1, 8) as recipe
from store.trace_facts as f
join recipes as r on r.id = f.recipe_id
where f.true_gazetteer is null
  or (f.answer_lat is not null and f.answer_gazetteer is null);

-- How many answers are right, by each distance of accuracy_km and by place: per recipe, and over the
-- store, whose recipe is null. The columns are those of accuracy_results.
create temp view accuracy_sums as
with judged as (
  -- A failure is a miss even within 20,000 km, so it is asked for before the distance.
  select
    t.recipe,
    t.model,
    t.with_tools,
    t.status,
    format('{:g} km', k.km) as within,
    k.km,
    if(t.failure, null, (t.distance_km <= k.km)::integer) as hit,
    if(t.failure, 0, (t.distance_km <= k.km)::integer) as hit_or_0
  from trace_results as t
  cross join (select unnest(accuracy_km()) as km) as k
  union all
  select
    t.recipe,
    t.model,
    t.with_tools,
    t.status,
    p.within,
    null as km,
    case p.within
      when 'city' then t.city_correct
      when 'region' then t.region_correct
      else t.country_correct
    end as hit,
    case p.within
      when 'city' then t.city_correct_or_0
      when 'region' then t.region_correct_or_0
      else t.country_correct_or_0
    end as hit_or_0
  from trace_results as t
  cross join (select unnest(['city', 'region', 'country']) as within) as p
)
select
  recipe,
  model,
  with_tools,
  within,
  km,
  count(*) filter (where status <> 'open') as closed,
  count(hit_or_0) as traces,
  count(hit_or_0) - count(hit) as failures,
  coalesce(sum(hit), 0)::bigint as hits,
  avg(hit_or_0) as acc,
  avg(hit) as acc_parsed
from judged
group by grouping sets ((recipe, model, with_tools, within, km), (within, km));

-- One row per recipe and measure: the share of answers within a distance of the truth (acc@km), or in
-- its city, region or country.
--   recipe, model, with_tools
--               as in trace_results
--   within      the measure: each of the distances (geostore query --km), such as '25 km', then city,
--               region and country, of which trace_results says what they are
--   km          the distance in km; null for the places
--   closed      closed traces
--   traces      those of them that count. By a distance these are all but the unscored ones; by a place
--               those whose true place is known, and the answer's too where it has coordinates
--   failures    those of traces that have no coordinates
--   hits        those of traces that are right; a distance on the border is within
--   acc         their share of traces: a failure is a miss
--   acc_parsed  their share of traces without failures
create temp view accuracy_results as
select *
from accuracy_sums
where recipe is not null;

-- One row per teacher response (turn), also those of traces that are still open.
--   trace, recipe, model   as in trace_results
--   turn                   from 1
--   turn_limit             how many turns the trace was allowed when this one was asked for
--   *_tokens               as the server bills them, else null. cached_tokens, cache_write_tokens and
--                          image_tokens are part of prompt_tokens, reasoning_tokens of
--                          completion_tokens. turns.usage has the server's own words
--   estimated_tokens       as in trace_results
--   service_tier           that it was served in, such as flex; null where the server does not say
--   cost                   in the currency of the table prices; null where that has no row for the
--                          model. A count that the server did not report is 0 here
--   unpriced               whether the cost is not known in full: no price, or a count not reported.
--                          trace_results.unpriced_turns counts these
--   stated_cost            what the server itself says that it charges, in its own currency
--   latency_ms             from the request to the whole response, in milliseconds; null: not known
--   first_token_ms         from the request to the first token; null: the reply was not streamed
--   tool_calls             calls that this turn made; failed_tool_calls: those without a result
--   run_id                 the run that asked for it; null where it was imported
--   created_at             when it was committed, UTC
--   response, reasoning    the words of the teacher; most of a store, so select them only at need
create temp view turn_results as
with calls as (
  select
    trace_id,
    turn,
    count(*) as tool_calls,
    count(*) filter (where success = 0) as failed_tool_calls
  from tool_calls
  group by trace_id, turn
)
select
  t.trace,
  k.trace_id,
  t.recipe,
  t.model,
  k.turn,
  k.turn_limit,
  k.finish_reason,
  k.prompt_tokens,
  k.cached_tokens,
  k.cache_write_tokens,
  k.image_tokens,
  k.completion_tokens,
  k.reasoning_tokens,
  k.total_tokens,
  if(
    k.total_tokens is null,
    coalesce(k.estimated_prompt_tokens, 0) + coalesce(k.estimated_completion_tokens, 0),
    0
  ) as estimated_tokens,
  k.service_tier,
  cost_of(
    coalesce(k.prompt_tokens, 0),
    cached_in(k.prompt_tokens, k.cached_tokens),
    written_in(k.prompt_tokens, k.cached_tokens, k.cache_write_tokens),
    coalesce(k.completion_tokens, 0),
    if(o.model is null, p, o)
  ) as cost,
  p.model is null or k.prompt_tokens is null or k.completion_tokens is null as unpriced,
  k.stated_cost,
  k.latency_ms,
  k.first_token_ms,
  coalesce(c.tool_calls, 0) as tool_calls,
  coalesce(c.failed_tool_calls, 0) as failed_tool_calls,
  k.served_model,
  k.run_id,
  k.created_at,
  k.response,
  k.reasoning
from turns as k
join trace_names as t on t.trace_id = k.trace_id
left join prices as p on p.model = t.model and p.tier = ''
left join prices as o on o.model = t.model and o.tier = k.service_tier
left join calls as c on c.trace_id = k.trace_id and c.turn = k.turn;

-- One row per tool call.
--   trace, recipe, model   as in trace_results
--   turn, call_index       the turn that made the call, from 1; the call's place in it, from 0
--   tool                   the name as the teacher wrote it
--   success                whether it gave a result; error_kind says why not, else null
--   flags                  JSON array of what is odd about the call: noop, clamped, repaired,
--                          looks_like:FRAME
--   raw_arguments          as the teacher wrote them; arguments: JSON as the tool read them, null
--                          where it could not
--   source_index           the image it was used on: 0 is the photo; null where it names none
--   box_*                  the part that was cut out, in pixels of that image; null without one
--   angle                  degrees, counter-clockwise; null where nothing was rotated
--   image_index            number of the image it gave; null without one, and image_* too
--   image_width, _height   of that image as sent, in pixels
--   observation            the sentence that the teacher read; null where an import does not say
--   created_at             when it was committed, UTC
create temp view tool_results as
select
  t.trace,
  c.trace_id,
  t.recipe,
  t.model,
  c.turn,
  c.call_index,
  c.name as tool,
  c.success = 1 as success,
  c.error_kind,
  c.flags,
  c.raw_arguments,
  c.arguments,
  c.source_index,
  c.box_left,
  c.box_top,
  c.box_right,
  c.box_bottom,
  c.angle,
  c.image_index,
  c.image_width,
  c.image_height,
  c.observation,
  c.created_at
from tool_calls as c
join trace_names as t on t.trace_id = c.trace_id;

-- Whether a box fits the frame of its recipe, and which other frames would explain one that does
-- not, as its call was flagged when it ran (looks_like:FRAME, by geostore/tools/frames.py): pixels
-- of the image as sent, thousandths of it, fractions from 0 to 1, pixels as sent with y first,
-- pixels at full resolution. Where a call was refused, its arguments are read only if they are
-- plain JSON.
--   a, b, c, d         the four numbers as the teacher wrote them; width, height: the image's, as sent
--   odd                whether one of the as_* holds, which are null-free
create temp view boxes as
with
written as (
  select
    *,
    json_extract(try_cast(coalesce(arguments, raw_arguments) as json), '$.bbox_2d') as box
  from tool_calls
  where source_index is not null
    and contains(coalesce(arguments, raw_arguments), '"bbox_2d"')
)
select
  w.trace_id,
  w.turn,
  w.call_index,
  r.id as recipe_id,
  r.bbox_frame,
  w.success = 1 as success,
  cast(w.box ->> '$[0]' as double) as a,
  cast(w.box ->> '$[1]' as double) as b,
  cast(w.box ->> '$[2]' as double) as c,
  cast(w.box ->> '$[3]' as double) as d,
  coalesce(i.image_width, t.sent_width) as width,
  coalesce(i.image_height, t.sent_height) as height,
  contains(w.flags, '"looks_like:') as odd,
  contains(w.flags, '"looks_like:pixel"') as as_pixel,
  contains(w.flags, '"looks_like:norm1000"') as as_norm1000,
  contains(w.flags, '"looks_like:relative"') as as_relative,
  contains(w.flags, '"looks_like:pixel_yx"') as as_pixel_yx,
  contains(w.flags, '"looks_like:full_pixel"') as as_full_pixel
from written as w
join traces as t on t.id = w.trace_id
join recipes as r on r.id = t.recipe_id
-- Image 0 is the photo, and no call gave it.
left join tool_calls as i on i.trace_id = w.trace_id and i.image_index = w.source_index
where json_type(w.box) = 'ARRAY'
  and json_array_length(w.box) = 4
  and json_type(w.box, '$[0]') in ('BIGINT', 'UBIGINT', 'DOUBLE')
  and json_type(w.box, '$[1]') in ('BIGINT', 'UBIGINT', 'DOUBLE')
  and json_type(w.box, '$[2]') in ('BIGINT', 'UBIGINT', 'DOUBLE')
  and json_type(w.box, '$[3]') in ('BIGINT', 'UBIGINT', 'DOUBLE');

-- The tables without a rowid, as they are. DuckDB's extension counts rows by their ROWID and would
-- fail on "select count(*)"; a condition that always holds makes it read a column instead.
create temp view answers as select * from store.answers where trace_id is not null;
create temp view rewards as select * from store.rewards where trace_id is not null;
create temp view trace_flags as select * from store.trace_flags where trace_id is not null;
create temp view interim_answers as select * from store.interim_answers where trace_id is not null;
create temp view sample_places as select * from store.sample_places where sample_id is not null;
create temp view answer_places as select * from store.answer_places where trace_id is not null;
create temp view image_proofs as select * from store.image_proofs where trace_id is not null;
create temp view prices as select * from store.prices where model is not null;
