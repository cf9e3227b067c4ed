"""What tokens cost: prices per million, and what a response or a billed failure used.

Counts that a server did not say are unknown; they cost nothing here, and
`Usage.uncounted` says how many responses that concerns. A currency has no
name: a cost is in whatever the prices are in.
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

from geostore.errors import GeostoreError
from geostore.records import Turn

_MEMBERS = ("in", "out", "cached")


class PriceError(GeostoreError):
    """Prices or a budget that are missing, contradict each other, or cannot be read."""


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens of any number of responses; sums are made with ``+``.

    cached_tokens: the part of `prompt_tokens` that the server had cached, never
    more than those. total_tokens: as the server said it, else prompt and
    completion together. uncounted: responses without a count of their prompt or
    completion, which cost more than is known.
    """

    prompt_tokens: int = 0
    completion_tokens: int = 0
    cached_tokens: int = 0
    total_tokens: int = 0
    uncounted: int = 0

    def __add__(self, other: Usage) -> Usage:
        return Usage(
            self.prompt_tokens + other.prompt_tokens,
            self.completion_tokens + other.completion_tokens,
            self.cached_tokens + other.cached_tokens,
            self.total_tokens + other.total_tokens,
            self.uncounted + other.uncounted,
        )


@dataclass(frozen=True, slots=True)
class Prices:
    """What a model's tokens cost, per million.

    per_million_in: prompt; per_million_out: completion, reasoning included;
    per_million_cached: the cached part of a prompt, None: as any other part.
    Raises PriceError for a price that is negative or no finite number.
    """

    per_million_in: float
    per_million_out: float
    per_million_cached: float | None = None

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


def usage_of_turn(turn: Turn) -> Usage:
    """What one response used."""
    return _usage(turn.prompt_tokens, turn.completion_tokens, turn.cached_tokens, turn.total_tokens)


def usage_of_json(usage_json: str | None) -> Usage:
    """What a useless response used, by its usage object; nothing without one: it was not billed."""
    if usage_json is None:
        return Usage()
    usage = json.loads(usage_json)
    details = usage.get("prompt_tokens_details")
    return _usage(
        _count(usage.get("prompt_tokens")),
        _count(usage.get("completion_tokens")),
        _count(details.get("cached_tokens")) if isinstance(details, dict) else None,
        _count(usage.get("total_tokens")),
    )


def choose_prices(
    model: str,
    *,
    per_million_in: float | None = None,
    per_million_out: float | None = None,
    per_million_cached: float | None = None,
    file: str | os.PathLike[str] | None = None,
) -> Prices | None:
    """A model's prices from options or from a price file; None where nothing is given.

    Raises PriceError for both at once, or for one price without the other.
    """
    named = (per_million_in, per_million_out, per_million_cached)
    if file is not None:
        if any(price is not None for price in named):
            raise PriceError("prices come from options or from a price file, not from both")
        return load_prices(file, model)
    if all(price is None for price in named):
        return None
    if per_million_in is None or per_million_out is None:
        raise PriceError("a cost needs both --price-in and --price-out, per million tokens")
    return Prices(per_million_in, per_million_out, per_million_cached)


def load_prices(path: str | os.PathLike[str], model: str) -> Prices:
    """A model's prices from a file that ends in ``.json`` or ``.toml``.

    The file maps a model's name, or the start of one and ``*``, to ``in``,
    ``out`` and perhaps ``cached``, per million tokens:
    ``{"gpt-5-mini*": {"in": 0.25, "out": 2.0, "cached": 0.025}}``. The exact
    name comes first, then the longest start. Raises PriceError where the file
    cannot be read, means something else, or has no price of the model.
    """
    where = Path(path)
    table = _read(where)
    entry = _entry(table, model)
    if entry is None:
        names = ", ".join(table) or "none"
        raise PriceError(f"{where} has no price of {model!r}; it has: {names}")
    name, value = entry
    return _prices(value, f"{where}, {name!r}")


def _usage(
    prompt: int | None, completion: int | None, cached: int | None, total: int | None
) -> Usage:
    known = (prompt or 0) + (completion or 0)
    return Usage(
        prompt_tokens=prompt or 0,
        completion_tokens=completion or 0,
        cached_tokens=min(cached or 0, prompt or 0),
        total_tokens=known if total is None else total,
        uncounted=int(prompt is None or completion is None),
    )


def _count(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None


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
