"""``geostore traces``: lists traces, the newest, best or worst first."""

from __future__ import annotations

from typing import Annotated

import typer

from geostore.cli.options import (
    DEFAULT_STORE,
    ExcludeFlagOption,
    FlagOption,
    JsonOption,
    MaxDistanceOption,
    MaxTokensOption,
    MaxTurnsOption,
    MinScoreOption,
    MinTurnsOption,
    ModelOption,
    RecipeOption,
    RequireToolsOption,
    RewardOption,
    SinceOption,
    StoreOption,
    WhereOption,
    say,
)
from geostore.cli.trace_choice import BestOption, NewestOption, WorstOption, order_of
from geostore.records import Status

_LIMIT = 20
"""Lines of a list unless told otherwise, which fit a screen."""


def traces(
    store: StoreOption = DEFAULT_STORE,
    best: BestOption = False,
    worst: WorstOption = False,
    newest: NewestOption = False,
    limit: Annotated[
        int | None,
        typer.Option(min=0, help="How many at most, 0 for all; none: 20, or all as JSON."),
    ] = None,
    recipe: RecipeOption = None,
    model: ModelOption = None,
    status: Annotated[Status | None, typer.Option(help="Only traces of this status.")] = None,
    min_score: MinScoreOption = None,
    max_distance: MaxDistanceOption = None,
    flag: FlagOption = None,
    exclude_flag: ExcludeFlagOption = None,
    min_turns: MinTurnsOption = None,
    max_turns: MaxTurnsOption = None,
    max_tokens: MaxTokensOption = None,
    require_tools: RequireToolsOption = False,
    since: SinceOption = None,
    where: WhereOption = None,
    reward: RewardOption = None,
    json: JsonOption = False,
) -> None:
    """List traces with their names, results and lengths: the newest first, or the best or worst."""
    from geostore.show.trace_list import list_json, list_text, list_traces
    from geostore.store import Conditions, Store, make_filter
    from geostore.text.phrases import format_number_of

    conditions = Conditions(
        status=status,
        min_score=min_score,
        max_distance_km=max_distance,
        recipe=recipe,
        model=model,
        flags=flag or (),
        exclude_flags=exclude_flag or (),
        min_turns=min_turns,
        max_turns=max_turns,
        max_tokens=max_tokens,
        require_tools=require_tools,
        since=since,
        where=where,
        reward=reward,
    )
    if limit is None and not json:
        limit = _LIMIT
    order = order_of(best=best, worst=worst, newest=newest) or "newest"
    with Store.open(store) as opened:
        listed = list_traces(
            opened, make_filter(conditions, statuses=None), order=order, limit=limit or None
        )
        unknown = (
            None if listed.lines else opened.recipes.explain_unknown(recipe=recipe, model=model)
        )
    if json:
        typer.echo(list_json(listed))
        return
    if not listed.lines:
        say(f"no trace in {store} meets these conditions" + (f": {unknown}" if unknown else ""))
        return
    typer.echo(list_text(listed))
    if len(listed.lines) < listed.total:
        say(f"{len(listed.lines):,} of {listed.total:,} traces; --limit 0 lists all")
    else:
        say(format_number_of(listed.total, "trace"))
