"""How much a run may still spend: limits on a model's tokens and cost, over all runs of a store."""

from __future__ import annotations

from dataclasses import dataclass

from geostore.costs.prices import Prices
from geostore.costs.usage import Tally, Usage
from geostore.errors import PriceError
from geostore.records import FailedAttempt, Turn
from geostore.text.phrases import format_budget, format_cost


@dataclass(frozen=True, slots=True)
class BudgetLimits:
    """What a model may use in a store, over all runs.

    A limit is on what is spent, so the requests in flight when it is reached
    may pass it by what they still use. Raises PriceError for a limit that is not
    above 0.
    """

    max_total_tokens: int | None = None
    """Prompt and completion tokens together, above 0; None: no such limit."""

    max_cost: float | None = None
    """In the currency of the model's prices, above 0; None: no such limit."""

    def __post_init__(self) -> None:
        if self.max_total_tokens is not None and self.max_total_tokens <= 0:
            raise PriceError(f"--max-total-tokens is above 0, and not {self.max_total_tokens}")
        if self.max_cost is not None and not self.max_cost > 0:
            raise PriceError(f"--max-cost is above 0, and not {self.max_cost:g}")

    def __bool__(self) -> bool:
        """Whether anything is limited."""
        return self.max_total_tokens is not None or self.max_cost is not None


@dataclass(frozen=True, slots=True)
class BudgetUse:
    """How far a budget is used at one moment."""

    limits: BudgetLimits
    """What may be used."""

    spent_tokens: int
    """Prompt and completion tokens so far, those of earlier runs and estimated ones included."""

    spent_cost: float | None
    """The cost so far at today's prices, estimated tokens included; None without prices."""

    estimated_tokens: int = 0
    """The part of `spent_tokens` that no server counted (`costs.estimates`)."""

    uncounted: int = 0
    """Responses and billed failures that are estimated, at least in part."""

    def to_json(self) -> dict[str, float | None]:
        """The limits and what is spent, by name."""
        return {
            "max_total_tokens": self.limits.max_total_tokens,
            "max_cost": self.limits.max_cost,
            "spent_tokens": self.spent_tokens,
            "spent_cost": self.spent_cost,
            "estimated_tokens": self.estimated_tokens,
            "uncounted": self.uncounted,
        }

    def text(self) -> str:
        """Such as ``4.56 of 10.00, 12,000 of 50,000 tokens``; ``about`` where it is estimated."""
        return format_budget(
            is_estimated=self.uncounted > 0,
            max_cost=self.limits.max_cost,
            spent_cost=self.spent_cost,
            max_total_tokens=self.limits.max_total_tokens,
            spent_tokens=self.spent_tokens,
        )


@dataclass(frozen=True, slots=True)
class CountedTo:
    """The last rows of a store that a sum counts. Rows are only added, and their numbers grow."""

    turn: int
    """Of turns; 0: none."""

    attempt: int
    """Of failed requests; 0: none."""


class Budget:
    """Limits, and what counts against them; not for use by two threads at once.

    prices: of the model; None where unknown, and then there can be no limit on cost.
    spent: what earlier runs used. `open_budget` reads it from the store, by service tier.

    What other processes spend meanwhile in the same store is added by `generate.spending`.
    Raises PriceError for a limit on cost without prices.
    """

    def __init__(
        self,
        model: str,
        limits: BudgetLimits,
        *,
        prices: Prices | None = None,
        spent: Usage | None = None,
    ) -> None:
        if limits.max_cost is not None and prices is None:
            raise PriceError(
                f"--max-cost needs the prices of {model}: --price-in and --price-out "
                "(per million tokens), or a price file"
            )
        self.model = model
        self.limits = limits
        self.prices = prices
        self.tally = Tally({None: spent} if spent else None)
        self.counted_to: CountedTo | None = None

    def add_turn(self, turn: Turn) -> None:
        """Count a response."""
        self.tally.add_turn(turn)

    def add_failure(self, attempt: FailedAttempt) -> None:
        """Count a failed request, as far as it was billed."""
        self.tally.add_failure(attempt)

    @property
    def spent(self) -> Usage:
        """All that was used, in earlier runs too."""
        return self.tally.total

    @property
    def spent_tokens(self) -> int:
        """Prompt and completion tokens, those of earlier runs and estimated ones included."""
        spent = self.spent
        return spent.total_tokens + spent.estimated_tokens

    @property
    def spent_cost(self) -> float | None:
        """The cost of all that was spent, at today's prices, estimated tokens included.

        None without prices.
        """
        return None if self.prices is None else self.prices.cost_of_all(self.tally, estimated=True)

    @property
    def use(self) -> BudgetUse:
        """How far it is used now."""
        spent = self.spent
        return BudgetUse(
            self.limits,
            spent.total_tokens + spent.estimated_tokens,
            self.spent_cost,
            spent.estimated_tokens,
            spent.uncounted,
        )

    @property
    def caution(self) -> str | None:
        """That the budget is only estimated, and how, in a sentence; None while it is counted."""
        if not self.spent.uncounted:
            return None
        return (
            f"replies of {self.model} come without token counts, so the budget is estimated: a "
            "token for every 4 bytes of text and every 28 x 28 pixels of an image that is sent; "
            "what the server hides, such as reasoning, is not in it"
        )

    @property
    def reached(self) -> str | None:
        """Which limit is reached and how to go on, in a sentence; None while there is room."""
        cost, limits = self.spent_cost, self.limits
        about = "about " if self.spent.uncounted else ""
        if limits.max_cost is not None and cost is not None and cost >= limits.max_cost:
            limit, option = format_cost(limits.max_cost), "--max-cost"
            spent = f"a cost of {about}{format_cost(cost)}"
        elif limits.max_total_tokens is not None and self.spent_tokens >= limits.max_total_tokens:
            limit, option = f"{limits.max_total_tokens:,}", "--max-total-tokens"
            spent = f"{about}{self.spent_tokens:,} tokens"
        else:
            return None
        return (
            f"the budget of {self.model} is used up: {spent} in this store, of {limit}; "
            f"raise {option} and run the same command again to go on{self._uncounted}"
        )

    @property
    def _uncounted(self) -> str:
        count = self.spent.uncounted
        return f" ({count:,} without token counts, so estimated)" if count else ""
