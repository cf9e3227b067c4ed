"""``geostore rewards``: lists the rewards of a store and chooses the one that counts."""

from __future__ import annotations

import json as jsons
from typing import Annotated

import typer

from geostore.cli.options import DEFAULT_STORE, JsonOption, StoreOption, say

rewards = typer.Typer(
    name="rewards",
    help="Look at the rewards that a store has, and choose the one that counts.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


@rewards.command("list")
def list_rewards(store: StoreOption = DEFAULT_STORE, json: JsonOption = False) -> None:
    """List the store's rewards, the default among them, and the built-in ones."""
    from geostore.rewards import listing
    from geostore.store import Store

    with Store.open(store) as opened:
        listed = listing.list_rewards(opened.db)
    typer.echo(jsons.dumps(listed.to_json(), indent=2) if json else listing.list_text(listed))


@rewards.command("show")
def show_reward(
    name: Annotated[
        str, typer.Argument(help="A reward of the store's, by name or hash, or a built-in one.")
    ],
    store: StoreOption = DEFAULT_STORE,
    json: JsonOption = False,
) -> None:
    """Show one reward: its formula, its parameters, and how many traces have it."""
    from geostore.rewards import listing
    from geostore.store import Store

    with Store.open(store) as opened:
        reward = listing.describe_reward(opened.db, name)
    typer.echo(jsons.dumps(reward.to_json(), indent=2) if json else listing.describe_text(reward))


@rewards.command("default")
def default_reward(
    name: Annotated[
        str, typer.Argument(help="A reward of the store's, by name or hash, or a built-in one.")
    ],
    store: StoreOption = DEFAULT_STORE,
) -> None:
    """Choose the reward that export, stats and queries use unless told otherwise."""
    from geostore.rewards import RewardSpec, count_missing, set_default
    from geostore.store import Store

    with Store.open(store) as opened:
        with opened.db.transaction():
            chosen = set_default(opened.db, name)
        spec = RewardSpec(chosen.name, chosen.kind, chosen.parameters, chosen.code_version)
        missing = count_missing(opened.db, spec).computed
    typer.echo(f"the default reward is {chosen.label}")
    if missing:
        function = chosen.parameters.get("function")
        how = f"--custom {function}" if function else f"--reward {chosen.sha256[:8]}"
        say(f"{missing:,} traces lack it; compute it with: geostore rescore {how}")
