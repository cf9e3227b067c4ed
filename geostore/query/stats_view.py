"""How the numbers of a store stand on a terminal: in groups, with units, a column for each recipe.

Rows that would be 0 everywhere are left out, and so is the second way to count failures where there
are none. `stats.format_text` has every number.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import chain

from geostore.query.stats import StoreStats, TraceSums, frame_alarm_line
from geostore.query.thresholds import format_km as plain_km
from geostore.query.unplaced import unplaced_line
from geostore.text.phrases import format_cost, format_km, format_score
from geostore.text.sheets import Cell, Chart, Group, Row, Sheet

_BINS = 4
"""Bins of each factor of ten, as `sql/analytics/distances_by_recipe.sql` cuts them."""
_FIRST_BIN = -_BINS - 1
"""All below 0.1 km."""
_LAST_BIN = math.floor(math.log10(20_038) * _BINS)
"""No two places on Earth are farther apart."""
_TICKS = ("0.1", "1", "10", "100", "1k", "10k")
_UNDER_KM = 3
"""Of `under_3_km`."""
_EXACT = 10_000_000
"""A count from which on three digits are enough."""
_NARROW = 0.02
"""An interval that is narrower has a decimal, or its ends would look alike."""


def stats_sheet(numbers: StoreStats) -> Sheet:
    """What `geostore stats` draws on a terminal."""
    recipes = numbers.recipes
    heads = [(part.recipe, _tools(part.with_tools)) for part in recipes]
    columns = [part.sums for part in recipes]
    if len(recipes) != 1:  # the numbers of an only recipe are the store's
        heads, columns = [("all", ""), *heads], [numbers.store, *columns]
    names = [(part.recipe, part.model or "not known", _tools(part.with_tools)) for part in recipes]
    makers = (_distances, _accuracy, _scores, _turns, _tokens, _costs, _problems)
    groups = [_traces(columns), *(of(columns) for of in makers if numbers.store.traces)]
    return Sheet(
        names=(("recipe", "model", ""), *names),
        heads=tuple(heads),
        chart=_chart(columns),
        groups=tuple(chain(*groups)),
        warnings=tuple(_warnings(numbers)),
    )


def _tools(with_tools: bool | None) -> str:
    return "" if with_tools is None else "tools" if with_tools else "no tools"


def _chart(columns: Sequence[TraceSums]) -> Chart | None:
    """A bar for each bin of distance, and after a space one of the failures."""
    failures = _LAST_BIN - _FIRST_BIN + 2
    spread = []
    for sums in columns:
        counts = [0] * (failures + 1)
        for part in sums.distances:
            # From halfway into the bin, so that no rounding leads into the next one.
            place = math.floor(math.log10(part.to_km) * _BINS - 0.5)
            # A reward of one's own may measure another way, and farther.
            counts[min(place, _LAST_BIN) - _FIRST_BIN] += part.answers
        counts[failures] = sums.failures
        traces = max(sum(counts), 1)
        spread.append(tuple(count / traces for count in counts))
    highest = max(chain(*spread))
    if not highest:
        return None
    ticks = {1 + _BINS * power: words for power, words in enumerate(_TICKS)}
    if any(sums.failures for sums in columns):
        ticks[failures] = "none"
    return Chart(
        "How far the answers are off, in km",
        f"shares of the traces; the highest bar is {_percent(highest)}",
        tuple(spread),
        ticks,
    )


# --- groups ----------------------------------------------------------------------------------


def _traces(columns: Sequence[TraceSums]) -> Iterator[Group]:
    closed = [sums.answered + sums.exhausted + sums.failed for sums in columns]

    def row(label: str, counts: Sequence[int], *, is_problem: bool = False) -> Row | None:
        if is_problem and not any(counts):
            return None
        cells = [
            Cell(_count(count), _percent(count / all_of_them) if all_of_them else "")
            for count, all_of_them in zip(counts, closed, strict=True)
        ]
        return Row(label, tuple(cells), is_problem)

    yield _group(
        "Traces",
        "",
        _counts("in the store", [sums.traces for sums in columns], always=True),
        _counts("still open", [sums.open for sums in columns]),
        row("answered", [sums.answered for sums in columns]),
        row("exhausted", [sums.exhausted for sums in columns], is_problem=True),
        row("failed", [sums.failed for sums in columns], is_problem=True),
        row("no coordinates", [sums.failures for sums in columns], is_problem=True),
        _counts("not scored yet", [sums.unscored for sums in columns]),
    )


def _distances(columns: Sequence[TraceSums]) -> Iterator[Group]:
    with_failures = any(sums.failures for sums in columns)
    yield _group(
        "Distance",
        "failures left out" if with_failures else "every trace has coordinates",
        _row("median", format_km, [sums.median_km for sums in columns]),
        _row("mean", format_km, [sums.mean_km for sums in columns]),
    )
    if with_failures:
        yield _group(
            "Distance",
            "each failure as 20,000 km",
            _row("median", format_km, [sums.median_km_failures_20000 for sums in columns]),
            _row("mean", format_km, [sums.mean_km_failures_20000 for sums in columns]),
        )


def _accuracy(columns: Sequence[TraceSums]) -> Iterator[Group]:
    with_failures = any(sums.failures for sums in columns)
    distances = list(columns[0].acc_km)
    intervals = [sums.accuracy_intervals for sums in columns]

    def row(label: str, shares: Sequence[float | None], within: str | None = None) -> Row | None:
        cells = [
            Cell(_or_empty(_percent, share), _interval(known.get(within or "")))
            for share, known in zip(shares, intervals, strict=True)
        ]
        return Row(label, tuple(cells)) if any(cell.value for cell in cells) else None

    def within(km: float) -> str:
        return f"within {_thousands(km)} km"

    nearer = [km for km in distances if km < _UNDER_KM]
    farther = distances[len(nearer) :]

    def rows_within(some: Sequence[float]) -> Iterator[Row | None]:
        for km in some:
            yield row(within(km), [sums.acc_km[km] for sums in columns], f"{plain_km(km)} km")

    def rows_within_parsed(some: Sequence[float]) -> Iterator[Row | None]:
        for km in some:
            yield row(within(km), [sums.acc_km_parsed[km] for sums in columns])

    yield _group(
        "Right answers",
        "a failure is a miss" if with_failures else "",
        *rows_within(nearer),
        row("less than 3 km", [sums.under_3_km for sums in columns]),
        *rows_within(farther),
        row("in the city", [sums.city_acc for sums in columns], "city"),
        row("in the region", [sums.region_acc for sums in columns], "region"),
        row("in the country", [sums.country_acc for sums in columns], "country"),
        asides="95 % interval",
    )
    if with_failures:
        yield _group(
            "Right answers",
            "failures left out",
            *rows_within_parsed(nearer),
            row("less than 3 km", [sums.under_3_km_parsed for sums in columns]),
            *rows_within_parsed(farther),
            row("in the city", [sums.city_acc_parsed for sums in columns]),
            row("in the region", [sums.region_acc_parsed for sums in columns]),
            row("in the country", [sums.country_acc_parsed for sums in columns]),
        )


def _scores(columns: Sequence[TraceSums]) -> Iterator[Group]:
    means = [sums.mean_score for sums in columns]
    with_zeros = [sums.mean_score_failures_0 for sums in columns]
    yield _group(
        "Reward",
        "failures left out" if means != with_zeros else "",
        _row("score, mean", format_score, means),
        # The same where no trace failed, and where the reward gives failures a score of their own.
        None if means == with_zeros else _row("with failures as 0", format_score, with_zeros),
        _row("points of 5,000", _points, [sums.mean_geoguessr_points for sums in columns]),
    )


def _turns(columns: Sequence[TraceSums]) -> Iterator[Group]:
    calls = [sums.tool_calls for sums in columns]
    per_trace = [sums.tool_calls / sums.traces if sums.traces else None for sums in columns]
    yield _group(
        "Turns and tools" if any(calls) else "Turns",
        "" if any(calls) else "no tool was called",
        _counts("turns", [sums.turns for sums in columns], always=True),
        _row("per trace", _mean, [sums.mean_turns for sums in columns]),
        _row("most of one trace", _count, [sums.max_turns for sums in columns]),
        _counts("tool calls", calls),
        _row("calls per trace", _mean, per_trace) if any(calls) else None,
        _row("calls with a result", _percent, [sums.tool_success_rate for sums in columns]),
    )


def _tokens(columns: Sequence[TraceSums]) -> Iterator[Group]:
    yield _group(
        "Tokens",
        "",
        _row("sent", _count, [sums.prompt_tokens for sums in columns]),
        _row("of them cached", _count, [sums.cached_tokens for sums in columns]),
        _row("written to a cache", _count, [sums.cache_write_tokens for sums in columns]),
        _row("received", _count, [sums.completion_tokens for sums in columns]),
        _row("per trace", _count, [_rounded(sums.mean_tokens) for sums in columns]),
        _counts("guessed beside them", [sums.estimated_tokens for sums in columns]),
        _counts("turns not counted", [sums.uncounted_turns for sums in columns]),
    )


def _costs(columns: Sequence[TraceSums]) -> Iterator[Group]:
    costs = [sums.cost for sums in columns]
    unpriced = [sums.unpriced_turns for sums in columns]
    if any(cost is not None for cost in costs):
        yield _group(
            "Cost",
            "in the currency of your prices",
            _row("in all", format_cost, costs),
            _row("per trace", format_cost, [sums.cost_per_trace for sums in columns]),
            _row(
                "per accepted trace",
                format_cost,
                [sums.cost_per_accepted_trace for sums in columns],
            ),
            _counts("turns left out", unpriced),
        )
    yield _group(
        "Cost",
        "as the server states it, in its currency",
        _row("in all", format_cost, [sums.stated_cost for sums in columns]),
    )


def _problems(columns: Sequence[TraceSums]) -> Iterator[Group]:
    def rows(counts: Sequence[Mapping[str, int]]) -> list[Row | None]:
        names = dict.fromkeys(chain(*counts))  # of the store first, which has them in order
        return [
            _counts(name, [part.get(name, 0) for part in counts], is_problem=True) for name in names
        ]

    yield _group(
        "No coordinates", "final responses", *rows([sums.answer_failures for sums in columns])
    )
    yield _group(
        "Failed requests",
        "sent again or given up",
        *rows([sums.request_failures for sums in columns]),
    )
    yield _group(
        "Audit",
        "traces with a flag" if any(sums.flags for sums in columns) else "",
        *rows([sums.flags for sums in columns]),
        _counts("not audited yet", [sums.not_audited for sums in columns]),
        _counts("odd boxes", [sums.odd_boxes for sums in columns], is_problem=True),
    )


def _warnings(numbers: StoreStats) -> Iterator[str]:
    if not numbers.store.traces:
        yield "no traces yet; geostore generate makes some, and geostore import takes some in"
    if (unplaced := unplaced_line(numbers.store.unplaced)) is not None:
        yield unplaced
    for recipe, frame in numbers.store.frame_alarms.items():
        yield frame_alarm_line(recipe, frame)


# --- rows ------------------------------------------------------------------------------------


def _group(title: str, note: str, *rows: Row | None, asides: str = "") -> Group:
    return Group(title, note, tuple(row for row in rows if row is not None), asides)


def _row(label: str, shown: Callable[[float], str], values: Sequence[float | None]) -> Row | None:
    """None where no value is known."""
    if all(value is None for value in values):
        return None
    return Row(label, tuple(Cell(_or_empty(shown, value)) for value in values))


def _counts(
    label: str, counts: Sequence[int], *, always: bool = False, is_problem: bool = False
) -> Row | None:
    """None where all are 0, unless always."""
    if not any(counts) and not always:
        return None
    return Row(label, tuple(Cell(_count(count)) for count in counts), is_problem)


# --- numbers ---------------------------------------------------------------------------------


def _or_empty(shown: Callable[[float], str], value: float | None) -> str:
    return "" if value is None else shown(value)


def _count(count: float) -> str:
    """Such as ``1,234,567`` and ``12.3 M``."""
    if count < _EXACT:
        return f"{count:,.0f}"
    millions, unit = (count / 1e6, "M") if count < 1e9 else (count / 1e9, "G")
    return f"{millions:,.{max(2 - math.floor(math.log10(millions)), 0)}f} {unit}"


def _rounded(value: float | None) -> int | None:
    return None if value is None else round(value)


def _mean(value: float) -> str:
    return f"{value:,.2f}"


def _points(points: float) -> str:
    return f"{points:,.0f}"


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"


def _thousands(km: float) -> str:
    return f"{km:,.0f}" if km == int(km) else plain_km(km)


def _interval(interval: tuple[float, float] | None) -> str:
    """In per cent, such as ``42-69``."""
    if interval is None:
        return ""
    low, high = interval
    decimals = 1 if high - low < _NARROW else 0
    return f"{100 * low:.{decimals}f}-{100 * high:.{decimals}f}"
