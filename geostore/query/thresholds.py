"""The distances of accuracy: how close an answer has to be to count as right."""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Iterable

from geostore.errors import QueryError

USUAL_KM: tuple[float, ...] = (1.0, 25.0, 200.0, 750.0, 2500.0)
"""Street, city, region, country and continent, as most of the field reports them."""

COLUMN_KM: tuple[float, ...] = (25.0, 200.0, 750.0)
"""City, region and country: the distances of which the questions in `sql` have columns."""

_FARTHEST_KM = 20_038.0
"""No two places on Earth are farther apart: half of the equator."""


def read_km(text: str) -> tuple[float, ...]:
    """Distances as an option writes them, such as ``0.5,1,25``. Raises QueryError."""
    values = []
    for part in text.split(","):
        try:
            values.append(float(part))
        except ValueError:
            raise QueryError(
                f"{part.strip()!r} is not a number; give distances in km with commas between "
                "them, such as 0.5,1,25"
            ) from None
    return check_km(values)


def check_km(values: Iterable[float]) -> tuple[float, ...]:
    """The distances as numbers, the nearest first.

    Raises QueryError for what is no row of numbers, none at all, one that no answer can be within,
    and one given twice.
    """
    if isinstance(values, str) or not isinstance(values, Iterable):
        raise QueryError(
            f"km is a list of distances in km, such as [0.5, 1, 25], and not {values!r}"
        )
    distances = sorted(map(_distance, values))
    if not distances:
        raise QueryError("no distance is given; name at least one in km, such as 25")
    for km in distances:
        if not 0 < km <= _FARTHEST_KM:  # also where it is NaN
            raise QueryError(
                f"{format_km(km)} km is no distance to be within; it is above 0 and at most "
                f"{_FARTHEST_KM:,.0f} km, which is half of the equator"
            )
    for km, following in itertools.pairwise(distances):
        if km == following:
            raise QueryError(f"{format_km(km)} km is given twice; name each distance once")
    return tuple(distances)


def _distance(value: object) -> float:
    try:
        return float(value)  # type: ignore[arg-type]  # what is no number ends below
    except (TypeError, ValueError) as error:
        raise QueryError(
            f"{value!r} is not a number; give distances in km, such as [0.5, 1, 25]"
        ) from error


def format_km(km: float) -> str:
    """A distance as it stands in names such as ``acc_0.5_km``: without zeros that say nothing."""
    return f"{km:.0f}" if math.isfinite(km) and km == int(km) else repr(km)


_FIRST, *_OTHERS = map(format_km, COLUMN_KM)
_NAME = r"(?:[a-z]+_)?acc_"
_COLUMN = re.compile(
    rf"^(?P<share>[^\n]* <= ){_FIRST}(?P<between>\b[^\n]* as )"
    rf"(?P<name>{_NAME}){_FIRST}(?P<rest>_km\w*),\n"
    rf"|^[^\n]* as {_NAME}(?:{'|'.join(_OTHERS)})_km\w*,\n",
    re.MULTILINE,
)
"""A column of a distance: of the first one, which stands for all of its kind, or of another."""


def has_columns_of_km(statement: str) -> bool:
    """Whether a named question has columns of distances, such as ``acc_25_km``."""
    return _COLUMN.search(statement) is not None


def with_columns_of_km(statement: str, km: Iterable[float]) -> str:
    """A named question with columns of these distances instead of those of `COLUMN_KM`.

    Names of columns are no values, so they cannot be parameters; a pivot would ask everything
    twice, first for its columns.
    """
    columns = [(repr(distance), format_km(distance)) for distance in check_km(km)]

    def of_each(column: re.Match[str]) -> str:
        if column["share"] is None:
            return ""
        share, between, name, rest = column.group("share", "between", "name", "rest")
        return "".join(
            f'{share}{value}{between}"{name}{shown}{rest}",\n' for value, shown in columns
        )

    return _COLUMN.sub(of_each, statement)
