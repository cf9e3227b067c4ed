"""Words for the numbers of a run, so that its live view, status and its last lines read alike."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import UTC, datetime

_UNITS = ("bytes", "KB", "MB", "GB", "TB")


def format_span(seconds: float) -> str:
    """A length of time, such as ``45 s``, ``4 min 10 s``, ``2 h 5 min`` or ``3.4 days``."""
    whole = round(min(seconds, 1e15))
    if whole < 60:
        return f"{whole} s"
    if whole >= 48 * 3600:
        return f"{whole / 86400:.1f} days"
    large, small, count = ("h", "min", round(whole / 60)) if whole >= 3600 else ("min", "s", whole)
    count, rest = divmod(count, 60)
    return f"{count} {large} {rest} {small}" if rest else f"{count} {large}"


_MOST_DECIMALS = 7
"""A smaller number has an exponent, because nobody counts zeros."""


def with_time(message: str) -> str:
    """A line of a log, which is read later: the message behind the time in UTC, to the second."""
    return f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}  {message}"


def format_number_of(count: int, noun: str) -> str:
    """Such as ``1 request`` and ``1,200 requests``."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def format_counts(counts: Mapping[str, int]) -> str:
    """Counts by name, such as ``rate_limit 12, timeout 3``; the most first."""
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return ", ".join(f"{name} {count:,}" for name, count in ordered)


def format_quality(
    median_km: float | None, mean_km: float | None, accept_rate: float | None
) -> str:
    """Such as ``median 120 km, mean 824 km, 53.2 % accepted``; None where it is not known yet."""
    if mean_km is None or median_km is None:
        distance = "no distance yet"
    else:
        distance = f"median {format_km(median_km)}, mean {format_km(mean_km)}"
    return distance if accept_rate is None else f"{distance}, {100 * accept_rate:.1f} % accepted"


def format_km(km: float) -> str:
    """A distance, such as ``0.42 km``, ``8.3 km`` and ``1,234 km``."""
    decimals = 2 if km < 1 else 1 if km < 10 else 0
    return f"{km:,.{decimals}f} km"


def format_score(score: float, decimals: int = 3) -> str:
    """A score, such as ``0.876`` and ``0.000021``: a small one keeps two digits; 0 is ``0``."""
    if score == 0 or not math.isfinite(score):
        return f"{score:g}"
    needed = 1 - math.floor(math.log10(abs(score)))
    return f"{score:.2g}" if needed > _MOST_DECIMALS else f"{score:.{max(decimals, needed)}f}"


def format_cost(cost: float) -> str:
    """A cost with at least two decimals, and three digits past the leading zeros."""
    if cost == 0 or abs(cost) >= 1:
        return f"{cost:,.2f}"
    return f"{cost:.{2 - math.floor(math.log10(abs(cost)))}f}"


def format_cost_per_trace(cost: float, traces: int) -> str:
    """Such as ``1.23, 0.0145 per trace``; the cost alone before the first trace closed."""
    return (
        f"{format_cost(cost)}, {format_cost(cost / traces)} per trace"
        if traces
        else format_cost(cost)
    )


def format_pace(traces_per_minute: float, left_seconds: float | None) -> str:
    """Such as ``3.0 traces/min, about 2 h 42 min left``; None: nobody can tell what is left."""
    pace = f"{traces_per_minute:,.1f} traces/min"
    return pace if left_seconds is None else f"{pace}, about {format_span(left_seconds)} left"


def format_budget(
    *,
    max_cost: float | None,
    spent_cost: float | None,
    max_total_tokens: int | None,
    spent_tokens: int,
    is_estimated: bool = False,
) -> str:
    """What is spent of each limit, such as ``4.56 of 10.00, 12,000 of 50,000 tokens``.

    is_estimated: each begins with ``about``, since not all was counted.
    """
    about = "about " if is_estimated else ""
    parts = []
    if max_cost is not None:
        parts.append(f"{about}{format_cost(spent_cost or 0.0)} of {format_cost(max_cost)}")
    if max_total_tokens is not None:
        parts.append(f"{about}{spent_tokens:,} of {max_total_tokens:,} tokens")
    return ", ".join(parts)


def format_size(size: int) -> str:
    """Bytes such as ``1.2 GB``."""
    power = min(max(len(str(size)) - 1, 0) // 3, len(_UNITS) - 1)
    shown = size / 1000**power
    digits = 1 if power and shown < 10 else 0
    return f"{shown:,.{digits}f} {_UNITS[power]}"
