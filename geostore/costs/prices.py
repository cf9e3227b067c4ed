"""Prices per million tokens, from options or from a price file, and what tokens cost at them.

A currency has no name here: a cost is in whatever currency the prices are in.
"""

from __future__ import annotations

import json
import math
import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from geostore.costs.usage import Usage
from geostore.errors import PriceError

_MEMBERS = ("in", "out", "cached")


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

    def __post_init__(self) -> None:
        for price in (self.per_million_in, self.per_million_out, self.per_million_cached):
            if price is not None and not (math.isfinite(price) and price >= 0):
                raise PriceError(f"a price per million tokens is 0 or more, and not {price}")

    def cost(
        self,
        prompt_tokens: int | None,
        completion_tokens: int | None,
        cached_tokens: int | None = None,
    ) -> float:
        """The cost of so many tokens; None, which is unknown, counts as 0."""
        prompt = prompt_tokens or 0
        cached = min(cached_tokens or 0, prompt)
        dear = self.per_million_in
        cheap = dear if self.per_million_cached is None else self.per_million_cached
        out = (completion_tokens or 0) * self.per_million_out
        return ((prompt - cached) * dear + cached * cheap + out) / 1e6

    def cost_of(self, usage: Usage) -> float:
        """The cost of a sum of responses."""
        return self.cost(usage.prompt_tokens, usage.completion_tokens, usage.cached_tokens)


@dataclass(frozen=True, slots=True)
class PriceChoice:
    """Where a user says the prices are: in options, in a file, or nowhere."""

    per_million_in: float | None = None
    """Price of a million prompt tokens; None where no option names it."""

    per_million_out: float | None = None
    """Price of a million completion tokens; None where no option names it."""

    per_million_cached: float | None = None
    """Price of a million cached prompt tokens; None where no option names it."""

    file: str | os.PathLike[str] | None = None
    """A price file, .json or .toml; None without one."""


def choose_prices(model: str, choice: PriceChoice) -> Prices | None:
    """A model's prices from options or from a price file; None where neither is given.

    Raises PriceError for both at once, for one price without the other, and as
    `load_prices` does.
    """
    per_million = (choice.per_million_in, choice.per_million_out, choice.per_million_cached)
    if choice.file is not None:
        if any(price is not None for price in per_million):
            raise PriceError("prices come from options or from a price file, not from both")
        return load_prices(choice.file, model)
    if all(price is None for price in per_million):
        return None
    if choice.per_million_in is None or choice.per_million_out is None:
        raise PriceError("a cost needs both --price-in and --price-out, per million tokens")
    return Prices(choice.per_million_in, choice.per_million_out, choice.per_million_cached)


def load_prices(path: str | os.PathLike[str], model: str) -> Prices:
    """A model's prices from a file that ends in ``.json`` or ``.toml``.

    The file maps a model's name, or the start of one and ``*``, to ``in``,
    ``out`` and perhaps ``cached``, per million tokens:
    ``{"qwen3-vl-*": {"in": 0.25, "out": 2.0, "cached": 0.025}}``. The exact
    name comes first, then the longest start. Raises PriceError where the file
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


def _prices(value: Any, where: str) -> Prices:
    if not isinstance(value, dict):
        raise PriceError(f'{where}: a price is a table such as {{"in": 0.25, "out": 2.0}}')
    if unknown := sorted(value.keys() - set(_MEMBERS)):
        raise PriceError(
            f"{where}: {unknown[0]!r} is no member of a price; there are in, out and cached, "
            "per million tokens (in TOML, a model's name with dots needs quotes)"
        )
    for name in _MEMBERS:
        if name not in value and name != "cached":
            raise PriceError(f"{where}: the price {name!r}, per million tokens, is missing")
        price = value.get(name, 0)
        if isinstance(price, bool) or not isinstance(price, int | float):
            raise PriceError(f"{where}: the price {name!r} is no number: {price!r}")
    cached = value.get("cached")
    try:
        return Prices(value["in"], value["out"], cached)
    except PriceError as error:
        raise PriceError(f"{where}: {error}") from error
