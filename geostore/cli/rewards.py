"""The commands about rewards."""

from __future__ import annotations

from typing import Annotated

import typer

from geostore.cli.options import DEFAULT_STORE, StoreOption, pairs


def rescore(
    store: StoreOption = DEFAULT_STORE,
    reward: Annotated[
        str, typer.Option(help="Which reward: geoguessr, exponential, linear, threshold, ...")
    ] = "geoguessr",
    param: Annotated[
        list[str] | None,
        typer.Option(help="A parameter of it, such as scale=2000; may be repeated."),
    ] = None,
) -> None:
    """Compute a reward for every trace that does not have it yet."""
    from geostore.rewards import make_spec
    from geostore.rewards import rescore as rescore_store
    from geostore.store import Store

    spec = make_spec(reward, pairs(param or [], "--param"))
    with Store.open(store) as opened:
        result = rescore_store(opened.connection, spec)
    typer.echo(
        f"{spec.name} ({spec.sha256[:8]}): computed {result.computed:,}, "
        f"found done {result.found_done:,}"
    )
