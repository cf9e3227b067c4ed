"""``geostore report``: writes one page about a store."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from geostore.cli.conditions import with_conditions
from geostore.cli.options import (
    DEFAULT_STORE,
    DatasetPathOption,
    RewardOption,
    StoreOption,
)

if TYPE_CHECKING:
    from geostore.store import Conditions


@with_conditions("recipe", "model", "where")
def report(
    conditions: Conditions,
    out: Annotated[Path, typer.Argument(help="The page to write, such as report.html.")],
    store: StoreOption = DEFAULT_STORE,
    against: Annotated[
        str | None,
        typer.Option(
            "--against",
            metavar="RECIPE|STORE",
            help="Compare with a recipe of this store, by the start of its hash, or with another "
            "store, by its path.",
        ),
    ] = None,
    reward: RewardOption = None,
    km: Annotated[
        float, typer.Option("--km", help="The distance within which an answer is right, in km.")
    ] = 200.0,
    images: Annotated[
        bool, typer.Option("--images/--no-images", help="Show photos of the best and worst traces.")
    ] = True,
    dataset_path: DatasetPathOption = None,
) -> None:
    """Write a page about the store: how good, how far off, at what cost, with the SQL behind it.

    It stands alone: one file that needs no network, to open, send or print.
    """
    from geostore.report.build import ReportOptions, write_report
    from geostore.store import Store
    from geostore.text.phrases import format_number_of, format_size

    options = ReportOptions(
        conditions=conditions,
        against=against,
        reward=reward,
        km=km,
        images=images,
        dataset_path=None if dataset_path is None else str(dataset_path),
    )
    with Store.open(store) as opened:
        written = write_report(opened, out, options)
    typer.echo(
        f"{written.path}: {format_number_of(written.traces, 'closed trace')}, "
        f"{format_size(written.size)}"
    )
