"""The options that say which traces a command is about: one set for all commands that have them.

`with_conditions` gives a command these options and hands it the conditions that they mean, so
that a new condition is written once, here.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Concatenate, Literal, cast, get_type_hints

import typer

from geostore.cli.options import RewardOption, say

if TYPE_CHECKING:
    from geostore.store import Selection

RecipeOption = Annotated[
    str | None, typer.Option("--recipe", help="Only traces of the recipe whose hash begins so.")
]

ModelOption = Annotated[
    str | None,
    typer.Option(
        "--model", help="Only traces of this teacher; * stands for any text, as in 'Qwen*'."
    ),
]

MinScoreOption = Annotated[
    float | None, typer.Option("--min-score", help="Only traces with at least this score.")
]

MaxDistanceOption = Annotated[
    float | None, typer.Option("--max-distance", help="Only traces closer than this, in km.")
]

PresetOption = Annotated[
    Literal["quality"] | None,
    typer.Option(
        "--preset",
        help="quality: the filter of the older scripts, which keeps answers closer than 5,000 km "
        "with a score above 0.3. Other conditions hold beside it.",
    ),
]

FlagOption = Annotated[
    list[str] | None,
    typer.Option(
        "--flag", help="Only traces that this check of geostore audit flagged; may be repeated."
    ),
]

ExcludeFlagOption = Annotated[
    list[str] | None,
    typer.Option(
        "--exclude-flag",
        help="Leave out traces that this check of geostore audit flagged; may be repeated.",
    ),
]

MinTurnsOption = Annotated[
    int | None, typer.Option("--min-turns", min=0, help="Only traces with at least so many turns.")
]

MaxTurnsOption = Annotated[
    int | None, typer.Option("--max-turns", min=1, help="Only traces with at most so many turns.")
]

MaxTokensOption = Annotated[
    int | None,
    typer.Option(
        "--max-tokens",
        min=1,
        help="Only traces whose whole conversation has at most so many tokens, as the teacher's "
        "server counted its last request and response.",
    ),
]

RequireToolsOption = Annotated[
    bool, typer.Option("--require-tools", help="Only traces in which a tool call gave a result.")
]

SinceOption = Annotated[
    str | None,
    typer.Option(
        "--since", help="Only traces closed since: 2026-10-01, 2026-10-01T12:00, or 12h (ago)."
    ),
]

WhereOption = Annotated[
    str | None,
    typer.Option(
        "--where", help="Only traces for which this SQL holds, such as \"country = 'japan'\"."
    ),
]

ExcludeNearOption = Annotated[
    list[str] | None,
    typer.Option(
        "--exclude-near",
        metavar="FILE",
        help="Leave out samples near the places of a table (.csv, .tsv, .jsonl, .parquet) with "
        "columns lat and lon, such as a benchmark's. May be repeated.",
    ),
]

RadiusOption = Annotated[
    str | None,
    typer.Option("--radius", help="How near that is: 500m, 1km; none: 1km."),
]

BestOfOption = Annotated[
    int | None,
    typer.Option("--best-of", min=1, help="Of each sample only so many traces, the best ones."),
]

DedupeOption = Annotated[
    list[str] | None,
    typer.Option(
        "--dedupe",
        metavar="photo|text",
        help="photo: one trace of each photo, the best, whatever datasets hold it; text: one of "
        "those in which the teacher said the same. May be repeated.",
    ),
]

BalanceOption = Annotated[
    list[str] | None,
    typer.Option(
        "--balance",
        metavar="COLUMN=COUNT",
        help="At most so many traces of each value, the best ones, such as country=500; a column "
        "of trace_results or of the dataset. May be repeated.",
    ),
]

OrderOption = Annotated[
    str | None,
    typer.Option(
        "--order",
        metavar="ORDER",
        help="In which order traces are written. dataset (also where none is given): by row; "
        "score: the best first; hardest, easiest: by locatability; length: the fewest tokens "
        "first; random:SEED: shuffled.",
    ),
]

LimitOption = Annotated[
    int | None,
    typer.Option("--limit", min=1, help="At most so many traces, the first in --order."),
]

CONDITION_OPTIONS: Mapping[str, Any] = {
    "recipe": RecipeOption,
    "model": ModelOption,
    "preset": PresetOption,
    "min_score": MinScoreOption,
    "max_distance": MaxDistanceOption,
    "flag": FlagOption,
    "exclude_flag": ExcludeFlagOption,
    "min_turns": MinTurnsOption,
    "max_turns": MaxTurnsOption,
    "max_tokens": MaxTokensOption,
    "require_tools": RequireToolsOption,
    "since": SinceOption,
    "where": WhereOption,
    "reward": RewardOption,
}
"""The options by name, in the order in which help lists them."""

CHOICE_OPTIONS: Mapping[str, Any] = {
    "exclude_near": ExcludeNearOption,
    "radius": RadiusOption,
    "best_of": BestOfOption,
    "dedupe": DedupeOption,
    "balance": BalanceOption,
    "order": OrderOption,
    "limit": LimitOption,
}
"""The options that compare traces with one another, by name, in the order in which help lists them.
"""

_CONDITIONS = {"max_distance": "max_distance_km", "flag": "flags", "exclude_flag": "exclude_flags"}
"""From an option's name to its condition's, where that is another."""


def with_conditions(
    *names: str,
) -> Callable[[Callable[Concatenate[Selection, ...], None]], Callable[..., None]]:
    """Give a command the options of these names, or all conditions where none is named.

    The command takes the conditions that they mean as its first parameter.
    """

    def give(command: Callable[Concatenate[Selection, ...], None]) -> Callable[..., None]:
        every = {**CONDITION_OPTIONS, **CHOICE_OPTIONS}
        options = {name: every[name] for name in names or CONDITION_OPTIONS}
        # Types that are loaded when the command runs have only names here.
        later = {"Conditions": object, "Selection": object}
        hints = get_type_hints(command, localns=later, include_extras=True)
        conditions, *own = inspect.signature(command).parameters.values()
        parameters = [parameter.replace(annotation=hints[parameter.name]) for parameter in own]
        parameters += [
            inspect.Parameter(
                name,
                inspect.Parameter.KEYWORD_ONLY,
                default=False if name == "require_tools" else None,
                annotation=option,
            )
            for name, option in options.items()
        ]

        @wraps(command)
        def run(**values: Any) -> None:
            chosen = {name: values.pop(name) for name in options}
            command(_conditions(chosen), **values)

        del hints[conditions.name]
        run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]  # Typer reads it
        run.__annotations__ = hints | dict(options)
        return run

    return give


def say_unplaced(store: Path, selection: Selection) -> None:
    """Say how many traces have no place yet, where the conditions ask for places.

    Such a trace meets no condition on its place, whatever it would be.
    """
    where, balance = selection.get("where"), selection.get("balance")
    texts = [*([where] if where else []), *(balance or [])]
    if not texts:
        return
    from geostore.query.unplaced import unplaced_by

    unplaced = unplaced_by(store, texts)
    if unplaced is not None:
        say(unplaced)


def _conditions(options: Mapping[str, Any]) -> Selection:
    """The conditions that options mean, without those that were not given."""
    members = {
        _CONDITIONS.get(name, name): value
        for name, value in options.items()
        if value is not None and value is not False  # 0 is a condition
    }
    if members.pop("preset", None) == "quality":
        from geostore.export import QUALITY_KM, QUALITY_SCORE

        members["max_distance_km"] = min(QUALITY_KM, members.get("max_distance_km", QUALITY_KM))
        members["min_score"] = max(QUALITY_SCORE, members.get("min_score", QUALITY_SCORE))
    return cast("Selection", members)
