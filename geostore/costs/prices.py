"""Prices per million tokens, from options or from a price file, and what tokens cost at them.

A currency has no name here: a cost is in whatever currency the prices are in.
"""

from __future__ import annotations

import json
import math
import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from geostore.costs.usage import Tally, Usage
from geostore.errors import PriceError

_MEMBERS = ("in", "out", "cached", "cache_write")
_REQUIRED = ("in", "out")


@dataclass(frozen=True, slots=True)
class Prices:
    """What a model's tokens cost, per million.

    Raises PriceError for a price that is negative or no finite number.
    """

    per_million_in: float
    """A million prompt tokens; 0 or more."""

    per_million_out: float
    """A million completion tokens, reasoning included; 0 or more."""

    per_million_cached: float | None = None
    """A million cached prompt tokens; None: they cost as much as other prompt tokens."""

    per_million_cache_write: float | None = None
    """A million prompt tokens that are written to the server's cache; None: as other ones."""

    tiers: Mapping[str, Prices] = field(default_factory=dict, hash=False)
    """Prices of service tiers that have their own, by the tier's name in lower case."""

    def __post_init__(self) -> None:
        for price in (
            self.per_million_in,
            self.per_million_out,
            self.per_million_cached,
            self.per_million_cache_write,
        ):
            if price is not None and not (math.isfinite(price) and price >= 0):
                raise PriceError(f"a price per million tokens is 0 or more, and not {price}")

    def cost(
        self,
        prompt_tokens: int | None,
        completion_tokens: int | None,
        cached_tokens: int | None = None,
        cache_write_tokens: int | None = None,
    ) -> float:
        """The cost of so many tokens; None, which is unknown, counts as 0."""
        prompt = prompt_tokens or 0
        cached = min(cached_tokens or 0, prompt)
        written = min(cache_write_tokens or 0, prompt - cached)
        usual = self.per_million_in
        per_cached = usual if self.per_million_cached is None else self.per_million_cached
        per_written = (
            usual if self.per_million_cache_write is None else self.per_million_cache_write
        )
        out = (completion_tokens or 0) * self.per_million_out
        return (
            (prompt - cached - written) * usual + cached * per_cached + written * per_written + out
        ) / 1e6

    def cost_of(self, usage: Usage) -> float:
        """The cost of a sum of responses at these prices, without what was only estimated."""
        return self.cost(
            usage.prompt_tokens,
            usage.completion_tokens,
            usage.cached_tokens,
            usage.cache_write_tokens,
        )

    def cost_of_all(self, tally: Tally, *, estimated: bool = False) -> float:
        """The cost of responses, each at the prices of its tier.

        estimated: with what was only estimated.
        """
        cost = 0.0
        for tier, usage in tally.by_tier.items():
            prices = self if tier is None else self.tiers.get(tier, self)
            cost += prices.cost_of(usage)
            if estimated:
                cost += prices.cost(
                    usage.estimated_prompt_tokens, usage.estimated_completion_tokens
                )
        return cost


@dataclass(frozen=True, slots=True)
class PriceChoice:
    """Where a user says the prices are: in options, in a file, or nowhere."""

    per_million_in: float | None = None
    """Price of a million prompt tokens; None where no option names it."""

    per_million_out: float | None = None
    """Price of a million completion tokens; None where no option names it."""

    per_million_cached: float | None = None
    """Price of a million cached prompt tokens; None where no option names it."""

    per_million_cache_write: float | None = None
    """Price of a million prompt tokens written to a cache; None where no option names it."""

    file: str | os.PathLike[str] | None = None
    """A price file, .json or .toml; None without one."""


def choose_prices(model: str, choice: PriceChoice) -> Prices | None:
    """A model's prices from options or from a price file; None where neither is given.

    Raises PriceError for both at once, for one price without the other, and as
    `load_prices` does.
    """
    per_million = (
        choice.per_million_in,
        choice.per_million_out,
        choice.per_million_cached,
        choice.per_million_cache_write,
    )
    if choice.file is not None:
        if any(price is not None for price in per_million):
            raise PriceError("prices come from options or from a price file, not from both")
        return load_prices(choice.file, model)
    if all(price is None for price in per_million):
        return None
    if choice.per_million_in is None or choice.per_million_out is None:
        raise PriceError("a cost needs both --price-in and --price-out, per million tokens")
    return Prices(
        choice.per_million_in,
        choice.per_million_out,
        choice.per_million_cached,
        choice.per_million_cache_write,
    )


def load_prices(path: str | os.PathLike[str], model: str) -> Prices:
    """A model's prices from a file that ends in ``.json`` or ``.toml``.

    The file maps a model's name, or the start of one and ``*``, to ``in``,
    ``out`` and perhaps ``cached`` and ``cache_write``, per million tokens, and to
    such prices of service tiers that have their own:
    ``{"qwen3-vl-*": {"in": 0.25, "out": 2.0, "cached": 0.025, "flex": {"in": 0.1, "out": 1}}}``.
    The exact name comes first, then the longest start. Raises PriceError where the file
    cannot be read, is no such table, or has no price of the model.
    """
    file = Path(path)
    table = _read(file)
    entry = _entry(table, model)
    if entry is None:
        names = ", ".join(table) or "none"
        raise PriceError(f"{file} has no price of {model!r}; it has: {names}")
    name, value = entry
    return _prices(value, f"{file}, {name!r}")


def _read(path: Path) -> dict[str, Any]:
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise PriceError(f"no price file at {path}") from error
    except (OSError, UnicodeDecodeError) as error:
        raise PriceError(f"the price file {path} cannot be read: {error}") from error
    kind = path.suffix.lower()
    if kind not in (".json", ".toml"):
        raise PriceError(f"a price file ends in .json or .toml, and {path} does not")
    try:
        table = json.loads(text) if kind == ".json" else tomllib.loads(text)
    except ValueError as error:  # of both: JSONDecodeError and TOMLDecodeError are ValueErrors
        raise PriceError(f"the price file {path} is no {kind[1:].upper()}: {error}") from error
    if not isinstance(table, dict):
        raise PriceError(f"the price file {path} is no table from models to prices")
    return table


def _entry(table: Mapping[str, Any], model: str) -> tuple[str, Any] | None:
    if model in table:
        return model, table[model]
    starts = [name for name in table if name.endswith("*") and model.startswith(name[:-1])]
    if not starts:
        return None
    longest = max(starts, key=len)
    return longest, table[longest]


def _prices(value: Any, where: str, *, is_tier: bool = False) -> Prices:
    if not isinstance(value, dict):
        raise PriceError(f'{where}: a price is a table such as {{"in": 0.25, "out": 2.0}}')
    tables = {} if is_tier else {name: v for name, v in value.items() if isinstance(v, dict)}
    plain = {name: member for name, member in value.items() if name not in tables}
    if not plain.keys() & set(_MEMBERS):
        # TOML reads a model's name with dots as tables inside each other.
        tables = {}
        plain = value
    # A table under the name of a price would otherwise be a tier, and the price be missing.
    names = sorted((plain.keys() - set(_MEMBERS)) | (tables.keys() & set(_MEMBERS)))
    if names and names[0] in _MEMBERS:
        raise PriceError(f"{where}: the price {names[0]!r} is no number: {value[names[0]]!r}")
    if names:
        raise PriceError(
            f"{where}: {names[0]!r} is no member of a price; there are in, out, cached and "
            "cache_write, per million tokens, and tables of them by service tier (in TOML, a "
            "model's name with dots needs quotes)"
        )
    for name in _MEMBERS:
        if name not in plain and name in _REQUIRED:
            raise PriceError(f"{where}: the price {name!r}, per million tokens, is missing")
        price = plain.get(name, 0)
        if isinstance(price, bool) or not isinstance(price, int | float):
            raise PriceError(f"{where}: the price {name!r} is no number: {price!r}")
    tiers = {
        name.lower(): _prices(table, f"{where}, tier {name!r}", is_tier=True)
        for name, table in tables.items()
    }
    try:
        return Prices(
            plain["in"], plain["out"], plain.get("cached"), plain.get("cache_write"), tiers
        )
    except PriceError as error:
        raise PriceError(f"{where}: {error}") from error
