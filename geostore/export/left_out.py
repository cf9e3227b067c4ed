"""Says which traces an export left out, and why."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from geostore.store import EVERY, Choice, Filter
from geostore.store.choice import Balance, own_column

_LONGEST_CONDITION = 60

_WORDS = {
    "open": "not ended yet",
    "failed": "failed",
    "no_response": "without a response",
    "status": "not {statuses}",
    "recipe": "of another recipe",
    "model": "of another model",
    "since": "closed earlier",
    "min_turns": "of fewer than {min_turns} turns",
    "max_turns": "of more than {max_turns} turns",
    "max_tokens": "of more than {max_tokens:,} tokens",
    "require_tools": "without a result of a tool",
    "where": "not meeting {where}",
    "flags": "without the flag",
    "exclude_flags": "flagged {exclude_flags}",
    "unparsed": "without coordinates",
    "no_score": "without a score",
    "min_score": "below {min_score:g}",
    "no_distance": "without a distance",
    "max_distance": "not closer than {max_distance_km:g} km",
    "images": "with images that cannot be made again",
    "request": "whose files do not say what was sent",
    "calls_twice": "with calls both in the words and beside them",
    "tools": "whose tools nobody can run again",
    "frame": "whose boxes cannot be re-framed",
    "masked": "without a turn to learn",
    "limits": "over a limit of the reader",
    "unpaired": "in no pair",
}
"""By reason, in the order in which traces are looked at: those of `Snapshot.left_out`, and then
those for which a trace that the filter keeps cannot be written."""

_NAMED = 10


@dataclass(frozen=True, slots=True)
class Unwritten:
    """A trace that the filter keeps and an export cannot write."""

    trace: str
    """Its name."""
    reason: str
    """Why, as a stable word, such as ``images``."""
    why: str
    """Why, in words."""


@dataclass(slots=True)
class UnwrittenTraces:
    """The traces that an export could not write so far."""

    counts: Counter[str] = field(default_factory=Counter)
    """How many, by reason."""
    named: list[Unwritten] = field(default_factory=list)
    """The first ten."""

    def add(self, trace: str, reason: str, why: str) -> None:
        """Count a trace, and name it if there is room. reason: one that has words here."""
        assert reason in _WORDS
        self.counts[reason] += 1
        if len(self.named) < _NAMED:
            self.named.append(Unwritten(trace, reason, why))

    def first_text(self) -> str:
        """The first of them in words that end a sentence; empty where there is none."""
        return f"; the first is {self.named[0].trace} ({self.named[0].why})" if self.named else ""


_CHOICE_WORDS = {
    "near": "{near}",
    "best_of": "not among the best {best_of} of their photo",
    "photo": "of a photo with a better trace",
    "text": "with the words of a better trace",
}
"""By the reasons of `Chosen.left_out`, in the order in which a choice is applied."""


def left_out_text(
    counts: Mapping[str, int], kept: int, filters: Filter, choice: Choice = EVERY
) -> str:
    """Such as ``29 of 48: 19 below 0.3, 10 without coordinates``.

    counts: of `Snapshot.left_out`, of `Chosen.left_out`, and of `UnwrittenTraces`. kept: traces
        that are exported. filters, choice: of the export.
    """
    sentences = {
        **_WORDS,
        **_CHOICE_WORDS,
        **{
            f"balance:{balance.column}": f"beyond {balance.most:,} of the same {_named(balance)}"
            for balance in choice.balance
        },
        "limit": "beyond the first {limit:,}",
    }
    values = {
        "statuses": " or ".join(filters.statuses or ()),
        "exclude_flags": " or ".join(filters.exclude_flags),
        "where": _shortened(filters.where or ""),
        "min_turns": filters.min_turns,
        "max_turns": filters.max_turns,
        "max_tokens": filters.max_tokens,
        "min_score": filters.min_score,
        "max_distance_km": filters.max_distance_km,
        "near": choice.near,
        "best_of": choice.best_of,
        "limit": choice.limit,
    }
    reasons = [
        f"{counts[reason]:,} {words.format_map(values)}"
        for reason, words in sentences.items()
        if counts.get(reason)
    ]
    count = sum(counts.values())
    return f"{count:,} of {count + kept:,}: {', '.join(reasons)}"


def _named(balance: Balance) -> str:
    """The column's name as it stands in a pattern."""
    name = own_column(balance.column) or balance.column
    return name.replace("{", "{{").replace("}", "}}")


def _shortened(condition: str) -> str:
    """A condition on one line, cut."""
    text = " ".join(condition.split())
    return text if len(text) <= _LONGEST_CONDITION else f"{text[:_LONGEST_CONDITION]}..."
