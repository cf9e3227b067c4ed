"""Splits of an export by place, so that training and validation share no street.

The split of a sample follows from its place, the seed and the shares alone. It is the same in
every export, whatever other traces the export holds.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from geostore.errors import ExportError
from geostore.identity import canonical_json
from geostore.records import DatasetFacts, Sample
from geostore.store.chosen import same_country
from geostore.text.nearest import did_you_mean, listed

USUAL_RESOLUTION = 5
_FINEST = 15
_EXAMPLE = "train=0.98,val=0.02"
# Most trainers load files with `datasets`, which knows no name with a hyphen, and for which `all`
# is all splits together.
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_]{0,63}")
# File systems that know no case would put two such files into one, and Windows has no such file.
_RESERVED = re.compile(r"all|con|prn|aux|nul|images|(com|lpt)[0-9]", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Place:
    """What of a sample decides its split."""

    kind: str
    """``cell:R``, ``country`` or ``column:NAME``."""
    value: Any
    """A value of JSON."""


@dataclass(frozen=True, slots=True)
class Splits:
    """How the samples of an export are split. Made by `make_splits`."""

    shares: tuple[tuple[str, float], ...]
    """Name and share of each split, by name. The shares sum to 1."""
    by: str = f"cell:{USUAL_RESOLUTION}"
    """What samples must have in common to be in one split for sure. ``cell:R``: an H3 cell of
    resolution R, 0 (4 million km²) to 15 (1 m²); ``country``, without regard to case;
    ``column:NAME``: a column of the dataset, such as the sequence of a drive."""
    seed: int = 0
    """Of the hash that decides."""

    def of(self, sample: Sample, dataset: DatasetFacts) -> str:
        """The split of a sample. One without the value goes by its cell instead."""
        place = place_of(sample, dataset, self.by)
        if place.value is None:
            place = place_of(sample, dataset, f"cell:{USUAL_RESOLUTION}")
        number = _number(self.seed, place)
        end = 0.0
        for name, share in self.shares:
            end += share
            if number < end:
                return name
        return next(name for name, share in reversed(self.shares) if share)  # the sum is rounded

    def has_value(self, sample: Sample, dataset: DatasetFacts) -> bool:
        """Whether a sample has the value that `by` names."""
        return self.by.startswith("cell:") or place_of(sample, dataset, self.by).value is not None

    def check_column(self, datasets: tuple[DatasetFacts, ...]) -> None:
        """Raise ExportError for a column that no dataset of an export has."""
        if not self.by.startswith("column:"):
            return
        if not datasets or not all(facts.columns for facts in datasets):
            return
        name = self.by.removeprefix("column:")
        columns = list(dict.fromkeys(name for facts in datasets for name in facts.columns))
        if name not in columns:
            raise ExportError(
                f"--split-by: no dataset of these traces has a column {name!r}"
                f"{did_you_mean(name, columns)}; the columns are: {listed(columns, like=name)}"
            )

    def text(self, counts: Mapping[str, int], without_value: int) -> str:
        """Such as ``train 98, val 2 (by cell:5, seed 0)``.

        counts: traces by split. without_value: of them, those of samples without the value.
        """
        splits = ", ".join(f"{name} {counts.get(name, 0):,}" for name, _ in self.shares)
        how = f"by {self.by}, seed {self.seed}"
        if without_value:
            how += f"; {without_value:,} without a value by cell:{USUAL_RESOLUTION}"
        return f"{splits} ({how})"

    def to_json(self) -> dict[str, Any]:
        """As in a manifest."""
        return {"shares": dict(self.shares), "by": self.by, "seed": self.seed}


def place_of(sample: Sample, dataset: DatasetFacts, by: str) -> Place:
    """What of a sample decides its split; the value is None where the sample has none."""
    kind, _, detail = by.partition(":")
    if kind == "cell":
        # Imported here: only exports with splits need it.
        import h3

        return Place(by, h3.latlng_to_cell(sample.lat, sample.lon, int(detail)))
    if kind == "country":
        return Place(by, same_country(sample.country))
    if detail in sample.columns:
        return Place(by, _same_number(sample.columns[detail]))
    # A column that plays a role stands in the sample under its role.
    roles = {column: role for role, column in dataset.column_map.items()}
    role = roles.get(detail)
    return Place(by, None if role in (None, "image") else _same_number(getattr(sample, role)))


def _same_number(value: Any) -> Any:
    """A value as it is in every dataset: one may hold the number 7 as 7 and another as 7.0."""
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**63:
        return int(value)
    return value


def make_splits(
    shares: str | Mapping[str, float] | None, *, by: str | None = None, seed: int = 0
) -> Splits | None:
    """The splits that options mean, such as ``train=0.98,val=0.02``; None without shares.

    Raises ExportError for shares that do not sum to 1, a name that no file can have, an unknown
    place, and a place or a seed without shares; TypeError for a value of another type.
    """
    if not isinstance(seed, int) or isinstance(seed, bool):
        raise TypeError(f"split_seed is a whole number, such as 7, and not {seed!r}")
    if shares is None:
        if by is not None or seed:
            raise ExportError(f"--split-by and --split-seed need --split, as in {_EXAMPLE}")
        return None
    named = _from_text(shares) if isinstance(shares, str) else dict(shares)
    _check_shares(named)
    return Splits(tuple(sorted(named.items())), _checked_place(by), seed)


def _from_text(text: str) -> dict[str, float]:
    named: dict[str, float] = {}
    for part in text.split(","):
        name, _, share = (piece.strip() for piece in part.partition("="))
        try:
            value = float(share)
        except ValueError as error:
            raise ExportError(
                f"--split {text}: {part.strip()!r} is not NAME=SHARE; write {_EXAMPLE}"
            ) from error
        if name in named:
            raise ExportError(f"--split {text} names {name!r} twice")
        named[name] = value
    return named


def _check_shares(shares: Mapping[str, float]) -> None:
    for name, share in shares.items():
        if not isinstance(name, str):
            raise TypeError(f"the name of a split is a text, such as 'train', and not {name!r}")
        if not _NAME.fullmatch(name) or _RESERVED.fullmatch(name):
            raise ExportError(
                f"--split: {name!r} cannot be the name of a split and its files; use letters, "
                "digits and _"
            )
        if not isinstance(share, int | float) or isinstance(share, bool):
            raise TypeError(f"the share of {name} is a number, such as 0.02, and not {share!r}")
        if not 0 <= share <= 1:
            raise ExportError(f"--split: the share of {name} is {share:g}, and not from 0 to 1")
    folded = [name.casefold() for name in shares]
    if len(set(folded)) < len(folded):
        raise ExportError("--split: two names differ in case alone, and so would their files")
    for name in folded:
        if longer := [other for other in folded if other != name and other.startswith(name)]:
            raise ExportError(
                f"--split: {longer[0]!r} begins with {name!r}, and who loads {name}*.parquet would "
                "load both; choose another name"
            )
    if not math.isclose(total := math.fsum(shares.values()), 1, abs_tol=1e-9):
        raise ExportError(f"--split: the shares sum to {total:g}, and not to 1 as in {_EXAMPLE}")


def _checked_place(by: str | None) -> str:
    if by is None:
        return f"cell:{USUAL_RESOLUTION}"
    kind, _, detail = by.partition(":")
    if kind == "cell" and re.fullmatch(r"\d{1,2}", detail, re.ASCII) and int(detail) <= _FINEST:
        return f"cell:{int(detail)}"
    if by == "country" or (kind == "column" and detail):
        return by
    if kind == "cell":
        raise ExportError(f"--split-by {by}: the resolution of a cell is from 0 to {_FINEST}")
    raise ExportError(
        f"--split-by {by}: choose cell:{USUAL_RESOLUTION} (an H3 cell), country, or "
        "column:NAME for a column of the dataset"
    )


def _number(seed: int, place: Place) -> float:
    """A number in [0, 1) that looks random and follows from a place and a seed."""
    digest = sha256(canonical_json([seed, place.kind, place.value])).digest()
    return int.from_bytes(digest[:8], "big") / 2**64
