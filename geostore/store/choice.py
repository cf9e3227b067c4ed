"""Which of the traces that a filter keeps are read, and in which order.

A `Filter` looks at one trace alone. A `Choice` compares traces: it keeps the best ones of a
photo, leaves out what is there twice, and bounds how many have the same value. What it keeps
follows from the rows of the store and the choice alone.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from os import PathLike, fspath
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypedDict, get_args

from geostore.errors import FilterError
from geostore.records import Status
from geostore.store.filters import Conditions, Filter, check_names, make_filter
from geostore.text.nearest import did_you_mean

if TYPE_CHECKING:
    from geostore.dataset.places import Places

Dedupe = Literal["photo", "text"]
"""``photo``: one trace of each photo, known by the hash of its stored bytes, whatever datasets hold
it. ``text``: one of each wording, which is all that the teacher thought and said in a trace,
without regard to case and white space."""

TraceOrder = Literal["dataset", "score", "hardest", "easiest", "length", "random"]
"""``dataset``: by dataset name, row number, recipe and rollout. ``score``: the best first.
``hardest`` and ``easiest``: by locatability. ``length``: the fewest tokens first. ``random``:
shuffled by a seed. What lacks the number comes last; ties stand as in ``dataset``."""

_LARGEST = 2**63 - 1
_OWN_COLUMN = "column:"


@dataclass(frozen=True, slots=True)
class Balance:
    """At most so many traces for each value of a column."""

    column: str
    """A column of the view ``trace_results``, or one that samples have of their dataset; after
    ``column:`` it is always the latter."""
    most: int
    """From 1. Traces without a value count as having the same one."""


@dataclass(frozen=True, slots=True)
class Choice:
    """Which of a filter's traces are read: it is applied in the order of these fields.

    The better of two traces is the one with the higher score, then with fewer tokens, then the
    one that comes first in the order ``dataset``. A trace without a score is the worst.
    """

    near: Places | None = None
    """Samples near one of these places are left out; None: none are."""
    best_of: int | None = None
    """How many traces of each sample are kept at most, the best ones."""
    dedupe: tuple[Dedupe, ...] = ()
    """Of which equal traces only the best is kept."""
    balance: tuple[Balance, ...] = ()
    """One after another; the best traces of each value are kept."""
    order: TraceOrder = "dataset"
    """The order in which traces are read."""
    seed: int = 0
    """Of the order ``random``; others ignore it."""
    limit: int | None = None
    """How many traces are kept at most, the first ones in the order."""

    def to_json(self) -> dict[str, Any]:
        """What is set, as an object of JSON; empty for a choice that keeps everything as it is."""
        members: dict[str, Any] = {}
        if self.near is not None:
            members["exclude_near"] = self.near.to_json()
        if self.best_of is not None:
            members["best_of"] = self.best_of
        if self.dedupe:
            members["dedupe"] = list(self.dedupe)
        if self.balance:
            members["balance"] = [[each.column, each.most] for each in self.balance]
        if self.order != "dataset":
            members["order"] = f"random:{self.seed}" if self.order == "random" else self.order
        if self.limit is not None:
            members["limit"] = self.limit
        return members


EVERY = Choice()
"""Keeps every trace of a filter, in the order ``dataset``."""


class Choosing(TypedDict, total=False):
    """A `Choice` as keyword arguments, written as a person writes it."""

    exclude_near: str | PathLike[str] | Sequence[str | PathLike[str]] | None
    """A table of places, or several."""
    radius: str | float | None
    """Around them, such as ``500m``, or in km; None: 1 km."""
    best_of: int | None
    dedupe: Dedupe | Sequence[Dedupe] | None
    """One of them or both."""
    balance: str | Sequence[str] | Mapping[str, int] | None
    """Such as ``country=500``, several of them, or ``{"country": 500}``."""
    limit: int | None
    order: str | None
    """A `TraceOrder`; ``random:7`` shuffles by the seed 7."""


class Selection(Conditions, Choosing, total=False):
    """Everything that says which traces are read, as keyword arguments."""


def read_selection(
    selection: Selection,
    *,
    statuses: tuple[Status, ...] | None,
    beside: Sequence[str] = (),
) -> tuple[Filter, Choice]:
    """The filter and the choice that keyword arguments mean. Parameters as of `make_filter`.

    Raises FilterError and TypeError, as `make_filter` and `make_choice` do.
    """
    members: dict[str, Any] = dict(selection)
    known = [*Conditions.__annotations__, *Choosing.__annotations__]
    check_names(members, known, beside=beside)
    own = {name: members.pop(name) for name in Choosing.__annotations__ if name in members}
    conditions = Conditions(**members)  # type: ignore[typeddict-item]  # these names alone
    filters = make_filter(conditions, statuses=statuses)
    return filters, make_choice(Choosing(**own))  # type: ignore[typeddict-item]  # these names alone


def make_choice(choosing: Choosing) -> Choice:
    """The choice that keyword arguments mean.

    Raises FilterError for a value that means nothing, TypeError for one of another type,
    DatasetError for a file of places that cannot be read.
    """
    order, seed = _order(choosing.get("order"))
    return Choice(
        near=_near(choosing.get("exclude_near"), choosing.get("radius")),
        best_of=_count("best_of", choosing.get("best_of"), least=1),
        dedupe=_dedupe(choosing.get("dedupe")),
        balance=_balance(choosing.get("balance")),
        order=order,
        seed=seed,
        limit=_count("limit", choosing.get("limit"), least=1),
    )


def _count(name: str, value: Any, *, least: int) -> int | None:
    if value is None:
        return None
    if not isinstance(value, int) or isinstance(value, bool):
        raise TypeError(f"{name} is a whole number, such as 4, and not {value!r}")
    if not least <= value <= _LARGEST:
        raise FilterError(f"{name} is a whole number from {least} on, and not {value}")
    return value


def _near(files: Any, radius: Any) -> Places | None:
    paths = [files] if isinstance(files, str | PathLike) else files or ()
    if not isinstance(paths, Sequence) or not all(isinstance(p, str | PathLike) for p in paths):
        raise TypeError(f"exclude_near is the path of a table, or several, and not {files!r}")
    if not paths:
        if radius is not None:
            raise FilterError("a radius needs places: --exclude-near FILE.csv --radius 1km")
        return None
    # Imported here: it brings pyarrow with it, and few choices look at places.
    from geostore.dataset.places import USUAL_RADIUS_KM, read_places, read_radius

    radius_km = USUAL_RADIUS_KM if radius is None else read_radius(radius)
    return read_places([Path(fspath(path)) for path in paths], radius_km)


def _dedupe(value: Any) -> tuple[Dedupe, ...]:
    names = (value,) if isinstance(value, str) else tuple(value or ())
    known: tuple[Dedupe, ...] = get_args(Dedupe)
    for name in names:
        if name not in known:
            raise FilterError(
                f"there is no dedupe {name!r}{did_you_mean(str(name), known)}; choose "
                f"{' or '.join(known)}"
            )
    return tuple(name for name in known if name in names)


def _balance(value: Any) -> tuple[Balance, ...]:
    if isinstance(value, Mapping):
        return tuple(_bound(column, most) for column, most in value.items())
    texts = (value,) if isinstance(value, str) else tuple(value or ())
    bounds = []
    for text in texts:
        if not isinstance(text, str):
            raise TypeError(f"balance is a text, such as 'country=500', and not {text!r}")
        column, _, most = text.rpartition("=")
        if not re.fullmatch(r"\d+", most.strip(), re.ASCII):
            raise FilterError(f"balance is COLUMN=COUNT, such as country=500, and not {text!r}")
        bounds.append(_bound(column.strip(), int(most)))
    for bound in bounds:
        counts = [str(other.most) for other in bounds if other.column == bound.column]
        if len(counts) > 1:
            raise FilterError(
                f"balance names {bound.column} twice, with {' and '.join(counts)}; give it once"
            )
    return tuple(bounds)


def _bound(column: Any, most: Any) -> Balance:
    if not isinstance(column, str):
        raise TypeError(f"balance names a column, and not {column!r}")
    if not column.removeprefix(_OWN_COLUMN):
        raise FilterError("balance names no column; write COLUMN=COUNT, such as country=500")
    number = _count(f"balance of {column}", most, least=1)
    if number is None:
        raise TypeError(f"balance of {column} is a whole number, such as 500, and not None")
    return Balance(column, number)


def _order(value: Any) -> tuple[TraceOrder, int]:
    if value is None:
        return "dataset", 0
    if not isinstance(value, str):
        raise TypeError(f"order is a text, such as 'score', and not {value!r}")
    name, colon, seed = value.partition(":")
    known: tuple[TraceOrder, ...] = get_args(TraceOrder)
    for order in known:
        if name != order:
            continue
        if not colon:
            return order, 0
        if order != "random":
            raise FilterError(f"the order {order} takes no seed; write --order {order}")
        if not re.fullmatch(r"\d{1,18}", seed, re.ASCII):
            raise FilterError(f"the seed of --order random is a whole number, and not {seed!r}")
        return order, int(seed)
    raise FilterError(
        f"there is no order {value!r}{did_you_mean(name, known)}; choose one of "
        f"{', '.join(known[:-1])}, random:SEED"
    )


def own_column(column: str) -> str | None:
    """The name behind ``column:``; None where a column is written without it."""
    return column.removeprefix(_OWN_COLUMN) if column.startswith(_OWN_COLUMN) else None
