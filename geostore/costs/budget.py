"""How much a run may still spend: limits on a model's tokens and cost, over all runs of a store."""

from __future__ import annotations

from geostore.costs.prices import PriceError, Prices, Usage, usage_of_json, usage_of_turn
from geostore.records import FailedAttempt, Turn
from geostore.text.phrases import budget_use, format_cost


class Budget:
    """Limits, and what counts against them; not for use by two threads at once.

    max_total_tokens: prompt and completion tokens together. max_cost: in the
    currency of `prices`, without which it cannot be. None: no such limit.
    spent: what was used before; `open_budget` reads it from the store.

    A limit is on what is spent, so the requests in flight when it is reached
    may pass it by what they still use. What another process spends meanwhile in
    the same store is seen when a run starts, not while it goes.
    Raises PriceError for a limit that is not above 0, or a cost without prices.
    """

    def __init__(
        self,
        *,
        model: str,
        max_total_tokens: int | None = None,
        max_cost: float | None = None,
        prices: Prices | None = None,
        spent: Usage | None = None,
    ) -> None:
        if max_total_tokens is not None and max_total_tokens <= 0:
            raise PriceError(f"--max-total-tokens is above 0, and not {max_total_tokens}")
        if max_cost is not None and not max_cost > 0:
            raise PriceError(f"--max-cost is above 0, and not {max_cost:g}")
        if max_cost is not None and prices is None:
            raise PriceError(
                f"--max-cost needs the prices of {model}: --price-in and --price-out "
                "(per million tokens), or a price file"
            )
        self.model = model
        self.max_total_tokens = max_total_tokens
        self.max_cost = max_cost
        self.prices = prices
        self.spent = spent or Usage()

    def add_turn(self, turn: Turn) -> None:
        """Count a response."""
        self.spent += usage_of_turn(turn)

    def add_failure(self, attempt: FailedAttempt) -> None:
        """Count a failed request, which was billed where the server sent its usage."""
        if attempt.usage_json is not None:
            self.spent += usage_of_json(attempt.usage_json)

    @property
    def spent_tokens(self) -> int:
        """Prompt and completion tokens, those of earlier runs included."""
        return self.spent.total_tokens

    @property
    def spent_cost(self) -> float | None:
        """The cost of all that was spent, at today's prices; None without prices."""
        return None if self.prices is None else self.prices.cost_of(self.spent)

    def state(self) -> str:
        """How far it is used, such as ``4.56 of 10.00, 12,000 of 50,000 tokens``."""
        return budget_use(
            max_cost=self.max_cost,
            spent_cost=self.spent_cost,
            max_total_tokens=self.max_total_tokens,
            spent_tokens=self.spent_tokens,
        )

    @property
    def reached(self) -> str | None:
        """Which limit is reached and how to go on, in a sentence; None while there is room."""
        cost = self.spent_cost
        if self.max_cost is not None and cost is not None and cost >= self.max_cost:
            limit, option = format_cost(self.max_cost), "--max-cost"
            spent = f"a cost of {format_cost(cost)}"
        elif self.max_total_tokens is not None and self.spent_tokens >= self.max_total_tokens:
            limit, option = f"{self.max_total_tokens:,}", "--max-total-tokens"
            spent = f"{self.spent_tokens:,} tokens"
        else:
            return None
        return (
            f"the budget of {self.model} is used up: {spent} in this store, of {limit}; "
            f"raise {option} and run the same command again to go on{self._unknown}"
        )

    @property
    def _unknown(self) -> str:
        if not self.spent.uncounted:
            return ""
        return f" (not in it: responses without token counts, {self.spent.uncounted:,})"
