"""``geostore query``: answers a question in SQL, or one that has a name."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

from geostore.cli.options import DEFAULT_STORE, RewardOption, StoreOption, reward_hash


def query(
    statement: Annotated[
        str | None, typer.Argument(help="The name of a query (see --list), or SQL of DuckDB's.")
    ] = None,
    store: StoreOption = DEFAULT_STORE,
    format: Annotated[
        Literal["table", "csv", "json"], typer.Option("--format", help="How rows are printed.")
    ] = "table",
    reward: RewardOption = None,
    list_: Annotated[
        bool, typer.Option("--list", help="List the queries that have names.")
    ] = False,
) -> None:
    """Ask the store a question in SQL; it only reads, also while generate writes."""
    from geostore.query import reader as analytics
    from geostore.text.tables import FORMATS

    if list_:
        for name, answers in analytics.list_queries():
            typer.echo(f"{name:24}{answers}")
        return
    if statement is None:
        raise typer.BadParameter("name a query or write SQL; --list shows the names")
    result = analytics.run_query(store, statement, reward_hash(store, reward))
    typer.echo(FORMATS[format](result))
