"""Keeps a run to its budget, which every process of the store spends, too.

Its own responses are counted from its events, at once. What other processes spend is read
after each commit and at each tick: only the rows that are new since the last reading, and
without this run's own. So whenever this process decides to ask, it knows all that is on
disk, and several processes overspend a budget by no more than what they have in flight.
"""

from __future__ import annotations

from collections.abc import Callable

from geostore.costs.budget import Budget, CountedTo
from geostore.costs.usage import Tally
from geostore.errors import StoreError
from geostore.generate.events import Event, RequestFailed, TurnCommitted
from geostore.store import Store
from geostore.store.prices import counted_to, spent_by_others


class Spending:
    """What counts against the budget of one run.

    notice: called with sentences for a person. used_up: called once, with the sentence
    that says how to go on. Except for `read_others`, only for the event loop.
    """

    def __init__(
        self,
        budget: Budget,
        *,
        run_id: int,
        notice: Callable[[str], None],
        used_up: Callable[[str], None],
    ) -> None:
        self._budget = budget
        self._run_id = run_id
        self._notice = notice
        self._used_up = used_up
        self._is_used_up = False
        self._said_estimated = False
        self._counted_to: CountedTo | None = budget.counted_to

    def watch(self, event: Event) -> None:
        """Count a response or a failed request of this run."""
        match event:
            case TurnCommitted():
                self._budget.add_turn(event.turn)
                self.heed()
            case RequestFailed():
                self._budget.add_failure(event.attempt)
                self.heed()
            case _:
                pass

    def heed(self) -> None:
        """Say once that the budget is estimated, and once that it is used up."""
        if not self._said_estimated and (caution := self._budget.caution) is not None:
            self._said_estimated = True
            self._notice(caution)
        if not self._is_used_up and (sentence := self._budget.reached) is not None:
            self._is_used_up = True
            self._used_up(sentence)

    def read_others(self, store: Store) -> Tally | None:
        """What other runs have spent since the last call; None where nothing. For the writer."""
        try:
            if self._counted_to is None:
                self._counted_to = counted_to(store.db)
                return None
            tally, self._counted_to = spent_by_others(
                store.db, self._budget.model, run_id=self._run_id, since=self._counted_to
            )
        except StoreError:
            # The next reading begins where this one did.
            return None
        return tally if tally.by_tier else None

    def add_others(self, tally: Tally | None) -> None:
        """Count what `read_others` found."""
        if tally is not None:
            self._budget.tally.add_all(tally)
            self.heed()
