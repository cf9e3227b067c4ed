"""Which trace a command is about: by its name, or the best, worst or newest one."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from geostore.records import StoredTrace
    from geostore.store import Conditions, Order

TraceArgument = Annotated[
    str | None,
    typer.Argument(
        help="The trace: its name, such as 17-3fa1c2d4-1, the start of one, or a row number."
    ),
]

BestOption = Annotated[bool, typer.Option("--best", help="The best score first.")]

WorstOption = Annotated[
    bool, typer.Option("--worst", help="The worst score first; no coordinates is the worst.")
]

NewestOption = Annotated[bool, typer.Option("--newest", help="What was closed last first.")]

BestTraceOption = Annotated[bool, typer.Option("--best", help="The trace with the best score.")]

WorstTraceOption = Annotated[bool, typer.Option("--worst", help="The trace with the worst score.")]

NewestTraceOption = Annotated[
    bool, typer.Option("--newest", help="The trace that was closed last.")
]


def order_of(*, best: bool, worst: bool, newest: bool) -> Order | None:
    """The order that options name; None where they name none. Raises a usage error for two."""
    orders: dict[Order, bool] = {"best": best, "worst": worst, "newest": newest}
    named = [order for order, is_named in orders.items() if is_named]
    if len(named) > 1:
        options = " and ".join(f"--{order}" for order in named)
        raise typer.BadParameter(f"{options} are two orders; give one")
    return named[0] if named else None


def chosen_trace(
    store: Path, name: str | None, order: Order | None, conditions: Conditions
) -> StoredTrace:
    """The trace of a name, or the first one in an order that meets all conditions.

    Raises a usage error where neither or both are given, NotFoundError, FilterError.
    """
    from geostore.show.trace_list import first_trace
    from geostore.store import Store, make_filter

    if order is None and any(conditions.values()):
        raise typer.BadParameter(
            "--model, --recipe and --where choose among traces; give --best, --worst or --newest"
        )
    if name is not None and order is not None:
        raise typer.BadParameter(f"name a trace or give --{order}, not both")
    if name is None and order is None:
        raise typer.BadParameter(
            "name a trace, or give --best, --worst or --newest; geostore traces lists them"
        )
    with Store.open(store) as opened:
        if name is not None:
            return opened.traces.get_trace(opened.traces.find_trace(name))
        assert order is not None
        return first_trace(opened, make_filter(conditions, statuses=None), order=order)
