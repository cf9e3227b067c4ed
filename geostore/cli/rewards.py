"""``geostore rewards``: lists, renames and deletes rewards, and chooses the one that counts."""

from __future__ import annotations

import json as jsons
from typing import Annotated

import typer

from geostore.cli.headings import HelpCommand, HelpGroup
from geostore.cli.options import DEFAULT_STORE, JsonOption, StoreOption, say, tell

rewards = typer.Typer(
    name="rewards",
    cls=HelpGroup,
    help="Look at the rewards that a store has, name and remove them, choose the one that counts.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


@rewards.command("list", cls=HelpCommand)
def list_rewards(store: StoreOption = DEFAULT_STORE, json: JsonOption = False) -> None:
    """List the store's rewards, the default among them, the built-in ones, and the presets."""
    from geostore.rewards import listing
    from geostore.store import Store

    with Store.open(store) as opened:
        listed = listing.list_rewards(opened.db)
    if json:
        typer.echo(jsons.dumps(listed.to_json(), indent=2))
    else:
        tell(listing.list_text(listed))


@rewards.command("show", cls=HelpCommand)
def show_reward(
    name: Annotated[
        str,
        typer.Argument(
            help="A reward of the store's, by name or hash, a built-in one, or a preset."
        ),
    ],
    store: StoreOption = DEFAULT_STORE,
    json: JsonOption = False,
) -> None:
    """Show one reward: its formula, its parameters, and how many traces have it."""
    from geostore.rewards import listing
    from geostore.store import Store

    with Store.open(store) as opened:
        reward = listing.describe_reward(opened.db, name)
    if json:
        typer.echo(jsons.dumps(reward.to_json(), indent=2))
    else:
        tell(listing.describe_text(reward))


@rewards.command("compare", cls=HelpCommand)
def compare_rewards(
    names: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="REWARD", help="Rewards of the store's, by name or hash; none: all."
        ),
    ] = None,
    store: StoreOption = DEFAULT_STORE,
    min_score: Annotated[
        float | None,
        typer.Option("--min-score", help="The score from which each accepts a trace; none: 0.3."),
    ] = None,
    top: Annotated[
        float | None,
        typer.Option(min=0, max=1, help="Instead, the share that each accepts, its best: 0.25."),
    ] = None,
    json: JsonOption = False,
) -> None:
    """Compare rewards, each with each: ranks of the same traces, and which of them are accepted.

    Nothing is computed for it: rescore does that. Two rewards also show the traces whose rank
    changes most.
    """
    from geostore.rewards.compare import Bound, specs_to_compare
    from geostore.rewards.compare import compare_rewards as compare_specs
    from geostore.rewards.comparison_text import comparisons_text
    from geostore.store import Store

    bound = Bound.of(min_score, top)
    with Store.open(store) as opened:
        specs = specs_to_compare(opened.db, names or [])
        compared = compare_specs(opened.db, specs, bound=bound)
    if json:
        typer.echo(jsons.dumps(compared.to_json(), indent=2))
    else:
        tell(comparisons_text(compared))


@rewards.command("default", cls=HelpCommand)
def default_reward(
    name: Annotated[
        str,
        typer.Argument(
            help="A reward of the store's, by name or hash, a built-in one, or a preset."
        ),
    ],
    store: StoreOption = DEFAULT_STORE,
) -> None:
    """Choose the reward that export, stats and queries use unless told otherwise."""
    from geostore.rewards import RewardSpec, count_missing, set_default
    from geostore.rewards.specs import IMPORTED
    from geostore.store import Store

    with Store.open(store) as opened:
        with opened.db.transaction():
            chosen = set_default(opened.db, name)
        spec = RewardSpec(chosen.name, chosen.kind, chosen.parameters, chosen.code_version)
        missing = None if spec.kind == IMPORTED else count_missing(opened.db, spec).computed
    tell(f"the default reward is {chosen.label}")
    if missing is None:
        say("traces that came from no file, or from one without a reward, have none under it")
    elif missing:
        function = chosen.parameters.get("function")
        how = f"--custom {function}" if function else f"--reward {chosen.sha256[:8]}"
        traces = "1 trace lacks" if missing == 1 else f"{missing:,} traces lack"
        say(f"{traces} it; compute it with: geostore rescore {how}")


@rewards.command("rename", cls=HelpCommand)
def rename_reward(
    name: Annotated[str, typer.Argument(help="A reward of the store's, by name or hash.")],
    new_name: Annotated[str, typer.Argument(help="What it is to be called.")],
    store: StoreOption = DEFAULT_STORE,
) -> None:
    """Give a reward another name; its scores stay as they are."""
    from geostore.rewards import rename_spec
    from geostore.store import Store

    with Store.open(store) as opened, opened.db.transaction():
        renamed = rename_spec(opened.db, name, new_name)
    tell(f"{renamed.label} is now called {new_name}")


@rewards.command("delete", cls=HelpCommand)
def delete_reward(
    name: Annotated[str, typer.Argument(help="A reward of the store's, by name or hash.")],
    store: StoreOption = DEFAULT_STORE,
    yes: Annotated[
        bool,
        typer.Option("--yes", help="Also one that was imported, which cannot be computed again."),
    ] = False,
) -> None:
    """Remove a reward and its scores from the store; traces and other rewards stay."""
    from geostore.errors import RewardError
    from geostore.rewards import IMPORTED, delete_spec
    from geostore.store import Store
    from geostore.text.phrases import format_number_of

    with Store.open(store) as opened, opened.db.transaction():
        deleted, count = delete_spec(opened.db, name)
        if deleted.kind == IMPORTED and not yes:
            # Raised inside the transaction, which takes the removal back.
            raise RewardError(
                f"{deleted.label} came with imported files and cannot be computed again; "
                "delete it all the same with --yes"
            )
    tell(f"deleted {deleted.label} and its scores of {format_number_of(count, 'trace')}")
