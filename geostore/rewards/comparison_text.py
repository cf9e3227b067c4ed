"""Comparisons of rewards for a terminal: two in sentences, several in tables."""

from __future__ import annotations

import itertools

from geostore.rewards.compare import Bound, ComparedReward, Comparison, Comparisons
from geostore.text.phrases import format_number_of
from geostore.text.tables import QueryResult, format_table


def comparison_text(comparison: Comparison) -> str:
    """Two specs: some sentences, and a table of the movers."""
    rho = f"not defined, because {_why_no_rho(comparison)}"
    if comparison.rho is not None:
        rho = f"{comparison.rho:.4f}"
    jaccard = "" if comparison.jaccard is None else f"; Jaccard {comparison.jaccard:.3f}"
    lines = [
        f"{comparison.spec} against {comparison.other}",
        f"compared: {format_number_of(comparison.compared, 'trace')} with a score under both; "
        f"{comparison.only:,} under the first alone, "
        f"{comparison.other_only:,} under the second alone, "
        f"{comparison.neither:,} under neither",
        *([_lacking_text(comparison.lacking)] if comparison.lacking else []),
        f"Spearman's rho: {rho}",
        f"accepted ({Bound(comparison.min_score, comparison.top)}): "
        f"{comparison.accepted_both:,} by both, "
        f"{comparison.accepted_only:,} by the first alone, "
        f"{comparison.accepted_other:,} by the second alone{jaccard}",
    ]
    if comparison.movers:
        columns = ("trace", "distance_km", "first", "second", "rank_first", "rank_second")
        rows = [
            (m.trace, m.distance_km, m.score, m.other_score, m.rank, m.other_rank)
            for m in comparison.movers
        ]
        table = format_table(QueryResult(columns, rows), with_count=False)
        lines += ["the largest changes of rank:", table]
    return "\n".join(lines)


def comparisons_text(comparisons: Comparisons) -> str:
    """What a comparison of two specs or more shows, with what a reader would otherwise miss."""
    text = comparison_text(comparisons.pairs[0])
    notes = []
    if len(comparisons.rewards) > 2:
        text = _tables_text(comparisons)
        notes = _notes_on_pairs(comparisons)
    for reward in comparisons.rewards:
        if comparisons.bound.top is not None and reward.scored and not reward.accepted:
            traces = format_number_of(reward.sharing_best, "trace")
            share = "shares" if reward.sharing_best == 1 else "share"
            notes.append(f"{reward.spec} accepts none: {traces} {share} its best score")
    if comparisons.without_scores:
        notes.append(f"left out, without any score: {', '.join(comparisons.without_scores)}")
    return "\n\n".join([text, *notes])


def _tables_text(comparisons: Comparisons) -> str:
    """Several specs: numbered, then every rho, then the pairs, the most different first."""
    numbers = range(1, len(comparisons.rewards) + 1)
    rewards = QueryResult(
        ("", "reward", "scored", "accepted", "lowest", "highest"),
        [
            (
                str(number),
                reward.spec,
                reward.scored,
                reward.accepted,
                reward.lowest,
                reward.highest,
            )
            for number, reward in zip(numbers, comparisons.rewards, strict=True)
        ],
    )
    pairs = dict(zip(itertools.combinations(numbers, 2), comparisons.pairs, strict=True))
    wide = 6 if any((pair.rho or 0) < 0 for pair in comparisons.pairs) else 5
    matrix = QueryResult(
        ("rho", *map(str, numbers[:-1])),
        [
            (
                str(row),
                *(
                    _cell(pairs[column, row].rho, wide) if column < row else None
                    for column in numbers[:-1]
                ),
            )
            for row in numbers[1:]
        ],
    )
    # By what the table shows: rounding beyond it would order pairs that look the same.
    ordered = sorted(
        pairs.items(),
        key=lambda item: (
            item[1].rho is None,
            _decimals(item[1].rho) or 0.0,
            _decimals(item[1].jaccard) or 0.0,
            item[0],
        ),
    )
    table = QueryResult(
        ("pair", "traces", "rho", "both", "first_only", "second_only", "jaccard"),
        [
            (
                f"{first} {second}",
                pair.compared,
                pair.rho,
                pair.accepted_both,
                pair.accepted_only,
                pair.accepted_other,
                pair.jaccard,
            )
            for (first, second), pair in ordered
        ],
    )
    parts = [
        format_table(rewards, with_count=False),
        "Spearman's rank correlation:\n" + format_table(matrix, with_count=False),
        f"accepted ({comparisons.bound}), the least alike first:\n"
        + format_table(table, with_count=False),
    ]
    return "\n\n".join(parts)


def _lacking_text(count: int, most: str = "") -> str:
    lack = "lacks" if count == 1 else "lack"
    return (
        f"{most}{format_number_of(count, 'trace')} {lack} one of the two; "
        "geostore rescore computes one that is a formula"
    )


def _notes_on_pairs(comparisons: Comparisons) -> list[str]:
    notes = []
    lacking = [pair.lacking for pair in comparisons.pairs if pair.lacking]
    if lacking:
        pairs = "in 1 pair" if len(lacking) == 1 else f"in {len(lacking):,} pairs up to"
        notes.append(_lacking_text(max(lacking), f"{pairs} "))
    if any(pair.rho is None for pair in comparisons.pairs):
        notes.append(
            "without a correlation: all scores of one of the two are equal, or fewer than two "
            "traces have both"
        )
    if comparisons.bound.top is None and not all(map(_is_share, comparisons.rewards)):
        notes.append(
            "some scores lie outside of 0 to 1, so one bound means something else to each reward; "
            "compare the best of each with: --top 0.25"
        )
    return notes


def _why_no_rho(comparison: Comparison) -> str:
    if comparison.compared < 2:
        return "fewer than two traces have a score under both"
    return "all scores of one of the two are equal"


def _cell(rho: float | None, width: int) -> str | None:
    return None if rho is None else f"{rho:{width}.3f}"


def _decimals(value: float | None) -> float | None:
    return None if value is None else round(value, 3)


def _is_share(reward: ComparedReward) -> bool:
    return reward.lowest is None or (reward.lowest >= 0 and (reward.highest or 0) <= 1)
