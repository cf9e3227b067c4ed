"""What was chosen out of a store for an export, and how it was written, in words for its README."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from geostore.export.options import ExportOptions, FormatRules, checked_options, option_name
from geostore.export.splits import USUAL_RESOLUTION, Splits
from geostore.store import EVERY, Choice

_ORDERS = {
    "score": "the best score first",
    "hardest": "the least locatable first",
    "easiest": "the most locatable first",
    "length": "the fewest tokens first",
    "random": "shuffled",
}


def choice_lines(choice: Choice) -> Iterator[str]:
    """What a choice does, a sentence for each of its options, in the order in which it does it."""
    if choice.near is not None:
        yield f"`--exclude-near`: none of a photo {choice.near}"
    if choice.best_of is not None:
        yield f"`--best-of {choice.best_of}`: of each photo the best {choice.best_of}"
    if "photo" in choice.dedupe:
        yield "`--dedupe photo`: the best of each photo that several rows or datasets hold"
    if "text" in choice.dedupe:
        yield "`--dedupe text`: the best of those with the same words"
    for balance in choice.balance:
        yield (
            f"`--balance {balance.column}={balance.most}`: at most {balance.most:,} of each value, "
            "the best ones"
        )
    order = f"random:{choice.seed}" if choice.order == "random" else choice.order
    if choice.order != EVERY.order:
        yield f"`--order {order}`: {_ORDERS[choice.order]}"
    if choice.limit is not None:
        yield f"`--limit {choice.limit}`: the first {choice.limit:,}"


def option_lines(
    options: ExportOptions, rules: FormatRules, splits: Splits | None
) -> Iterator[str]:
    """The options of the command that write traces so; those that are left as they are stand not.

    options: checked. rules: of their format.
    """
    yield f"`--format {options.format}`"
    usual = checked_options(ExportOptions(format=options.format), rules).to_json()
    for name, value in options.to_json().items():
        if value != usual.get(name):
            text = ",".join(value) if isinstance(value, list | tuple) else value
            yield f"`{option_name(name)} {text}`"
    if splits is None:
        return
    yield f"`--split {_shares_text(dict(splits.shares))}`"
    if splits.by != f"cell:{USUAL_RESOLUTION}":
        yield f"`--split-by {splits.by}`"
    if splits.seed:
        yield f"`--split-seed {splits.seed}`"


def _shares_text(shares: Mapping[str, Any]) -> str:
    return ",".join(f"{name}={share:g}" for name, share in shares.items())
