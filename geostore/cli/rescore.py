"""``geostore rescore``: computes a reward for the traces that lack it."""

from __future__ import annotations

import json as jsons
from contextlib import ExitStack
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from geostore.cli.conditions import with_conditions
from geostore.cli.options import (
    DEFAULT_STORE,
    EXIT_MANY_FAILED,
    JsonOption,
    StoreOption,
    pairs,
    say,
    tell,
)

if TYPE_CHECKING:
    from geostore.rewards import RescoreResult, RewardSpec, Selection
    from geostore.rewards.compare import Comparison
    from geostore.store import Conditions, Filter, Store


@with_conditions("recipe", "model", "since", "where")
def rescore(
    conditions: Conditions,
    store: StoreOption = DEFAULT_STORE,
    reward: Annotated[
        str | None,
        typer.Option(
            help="Which reward: a built-in one ({kinds}), a preset ({presets}), or one of the "
            "store's by name or hash; none: the default."
        ),
    ] = None,
    preset: Annotated[
        list[str] | None,
        typer.Option(
            help="A published system's reward instead, a preset with or without preset: before "
            "its name, or all of them one after the other (all)."
        ),
    ] = None,
    param: Annotated[
        list[str] | None,
        typer.Option(
            help="A parameter of a built-in one or a preset, such as scale=2000; may be repeated."
        ),
    ] = None,
    spec_file: Annotated[
        Path | None,
        typer.Option("--spec", help="A JSON file with reward, parameters and name, instead."),
    ] = None,
    custom: Annotated[
        str | None,
        typer.Option(
            help="A function instead: package.module:function or path/to/file.py:function."
        ),
    ] = None,
    name: Annotated[str | None, typer.Option(help="What the reward is to be called.")] = None,
    time_limit: Annotated[
        float,
        typer.Option("--time-limit", min=0.01, help="Seconds a custom function has per trace."),
    ] = 10.0,
    workers: Annotated[
        int, typer.Option(min=0, help="Processes for a custom function; 0: one per core.")
    ] = 0,
    all_: Annotated[
        bool, typer.Option("--all", help="Compute again where the reward is there.")
    ] = False,
    retry_errors: Annotated[
        bool,
        typer.Option("--retry-errors", help="Compute again where the custom function failed."),
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say how many would be computed; write nothing.")
    ] = False,
    compare: Annotated[
        str | None,
        typer.Option(help="Then compare with this reward: ranks, accepted traces, movers."),
    ] = None,
    min_score: Annotated[
        float, typer.Option("--min-score", help="The score from which --compare accepts a trace.")
    ] = 0.3,
    json: JsonOption = False,
) -> None:
    """Compute a reward for every trace that does not have it yet.

    Exit code 0: done; 4: done, but a custom function failed for some traces.
    """
    from geostore.rewards import PRESETS, Placed, Selection, count_missing, preset_spec
    from geostore.rewards.presets import find_preset
    from geostore.store import ENDED, Filter, Store, make_filter

    named = (
        ("--reward", reward),
        ("--preset", preset or None),
        ("--spec", spec_file),
        ("--custom", custom),
    )
    given = [option for option, value in named if value is not None]
    if len(given) > 1:
        raise typer.BadParameter(f"{' and '.join(given)} name two rewards; give one")
    if preset and len(preset) > 1:
        raise typer.BadParameter("give it once: one preset, or all", param_hint="--preset")
    if param and (spec_file or custom):
        raise typer.BadParameter("a file and a function have no --param", param_hint="--param")
    is_every = preset == ["all"]
    for option, value in (("--param", param), ("--name", name), ("--compare", compare)):
        if is_every and value:
            raise typer.BadParameter(
                f"--preset all has no {option}; name one preset", param_hint=option
            )
    params = pairs(param or [], "--param")
    selection = Selection(again=all_, retry=retry_errors)
    filters = make_filter(conditions, statuses=ENDED)
    # Without conditions every trace is looked at, which is much faster than choosing them all.
    chosen = None if filters == Filter() else filters
    documents = []
    failures = 0
    with Store.open(store) as opened:
        if unknown := opened.recipes.explain_unknown(recipe=filters.recipe, model=filters.model):
            say(f"no trace is chosen: {unknown}")
        if is_every:
            specs = [preset_spec(preset_name) for preset_name in PRESETS]
        else:
            source = find_preset(preset[0]).name if preset else reward
            specs = [_spec(opened, source, params, spec_file=spec_file, custom=custom, name=name)]
        for spec in specs:
            if dry_run:
                result = count_missing(opened.db, spec, filters=chosen, selection=selection)
            else:
                result = _rescore(
                    opened,
                    spec,
                    chosen,
                    selection,
                    custom=custom,
                    workers=workers,
                    time_limit=time_limit,
                    rename=name is not None,
                )
            comparison = None
            if compare is not None:
                comparison = _compare(opened, spec, compare, min_score, compute=not dry_run)
            failures += sum(result.failures.values())
            documents.append(_as_json(spec, result, comparison, dry_run))
            if not json:
                if dry_run and len(documents) > 1:
                    # The first of several presets would read and place for all of them.
                    result = replace(result, read=0, placed=Placed())
                _print_result(spec, result, comparison, dry_run)
    if json:
        typer.echo(jsons.dumps(documents if is_every else documents[0], indent=2))
    if failures:
        raise typer.Exit(EXIT_MANY_FAILED)


def _spec(
    store: Store,
    reward: str | None,
    params: dict[str, str],
    *,
    spec_file: Path | None,
    custom: str | None,
    name: str | None,
) -> RewardSpec:
    """The reward that the options name. Raises RewardError."""
    from geostore.rewards import check_name, make_spec, read_spec, resolve_spec
    from geostore.rewards.specs import stored_spec
    from geostore.store.rewards import default_spec

    if custom is not None:
        from geostore.rewards.custom import custom_spec

        spec = custom_spec(custom, name=name)
    elif spec_file is not None:
        spec = read_spec(spec_file)
    elif reward is not None:
        spec = resolve_spec(store.db, reward, params)
    else:
        default = None if params else default_spec(store.db)
        spec = make_spec(params=params) if default is None else stored_spec(default)
    if name is None:
        return spec
    check_name(name, spec.kind)
    return replace(spec, name=name)


def _rescore(
    store: Store,
    spec: RewardSpec,
    filters: Filter | None,
    selection: Selection,
    *,
    custom: str | None,
    workers: int,
    time_limit: float,
    rename: bool,
) -> RescoreResult:
    import os

    from geostore.rewards import rescore as rescore_store
    from geostore.text.progress_bar import CountProgress

    with ExitStack() as stack:
        scorer = None
        if custom is not None:
            from geostore.rewards.custom import CustomScorer
            from geostore.rewards.pool import Pool

            pool = Pool(custom, workers=workers or os.cpu_count() or 1, time_limit=time_limit)
            scorer = CustomScorer(stack.enter_context(pool))
        return rescore_store(
            store.db,
            spec,
            filters=filters,
            selection=selection,
            scorer=scorer,
            rename=rename,
            progress=stack.enter_context(CountProgress("rewards")).show,
            reading=stack.enter_context(CountProgress("responses read again")).show,
            placing=stack.enter_context(CountProgress("places")).show,
        )


def _compare(
    store: Store, spec: RewardSpec, name: str, min_score: float, *, compute: bool
) -> Comparison:
    """Compare with another reward, whose missing ones are computed where a formula can."""
    from geostore.errors import RewardError
    from geostore.rewards import find_named, resolve_spec
    from geostore.rewards import rescore as rescore_store
    from geostore.rewards.compare import Bound, compare_rewards
    from geostore.store.rewards import find_spec, get_spec

    stored = find_named(store.db, name)
    by_formula = stored is None or stored.kind not in ("custom", "imported")
    if by_formula:
        other = resolve_spec(store.db, name)
        if compute:
            rescore_store(store.db, other)
        stored = find_spec(store.db, other.sha256)
    computed = find_spec(store.db, spec.sha256)
    if stored is None or computed is None:
        lacking = name if stored is None else spec.name
        why = "no trace was chosen that could have one" if compute else "leave out --dry-run"
        raise RewardError(f"the store has no rewards of {lacking!r} yet; {why}")
    specs = [get_spec(store.db, computed.sha256), get_spec(store.db, stored.sha256)]
    return compare_rewards(store.db, specs, bound=Bound(min_score)).pairs[0]


def _as_json(
    spec: RewardSpec, result: RescoreResult, comparison: Comparison | None, dry_run: bool
) -> dict[str, Any]:
    return {
        "spec": {"name": spec.name, "sha256": spec.sha256, "kind": spec.kind},
        "dry_run": dry_run,
        "read": result.read,
        "placed": asdict(result.placed),
        "computed": result.computed,
        "found_done": result.found_done,
        "failures": result.failures,
        "errors": [asdict(error) for error in result.errors],
        "comparison": None if comparison is None else comparison.to_json(),
    }


def _print_result(
    spec: RewardSpec, result: RescoreResult, comparison: Comparison | None, dry_run: bool
) -> None:
    from geostore.rewards import Placed
    from geostore.rewards.comparison_text import comparison_text
    from geostore.text.phrases import format_number_of

    if result.read:
        would = "would read" if dry_run else "read"
        responses = format_number_of(result.read, "response")
        say(f"{would} {responses} again with a newer parser")
    if result.placed != Placed():
        would = "would compute" if dry_run else "computed"
        samples = format_number_of(result.placed.samples, "sample")
        answers = format_number_of(result.placed.answers, "answer")
        say(f"{would} the places of {samples} and {answers}")
    verb = "would compute" if dry_run else "computed"
    tell(f"{spec.label}: {verb} {result.computed:,}, found done {result.found_done:,}")
    if result.failures:
        reasons = ", ".join(f"{reason} {n:,}" for reason, n in sorted(result.failures.items()))
        tell(
            f"failed: {sum(result.failures.values()):,} of {result.computed:,} ({reasons}); "
            "they have no score; compute them again with --retry-errors"
        )
        for error in result.errors:
            tell(f"  {error.trace}: {error.message}")
    if comparison is not None:
        tell(comparison_text(comparison))
