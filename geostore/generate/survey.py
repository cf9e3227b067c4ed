"""What the store knows of a dataset's rows, at one byte a row: so a run finds what is missing.

Read once when a run starts, from indexes, so that a run with nothing to do ends
at once and its memory does not grow with the store.
"""

from __future__ import annotations

from collections.abc import Collection

import numpy as np
from numpy.typing import NDArray

from geostore.store import Retry, Store

UNFINISHED = 0
FINISHED = 1
_FIRST_REASON = 2


class Survey:
    """The state of each row of a dataset under a recipe, when the run started.

    reasons: why rows are excluded, by the state that stands for it.
    """

    def __init__(self, states: NDArray[np.uint8], reasons: dict[int, str]) -> None:
        self._states = states
        self.reasons = reasons

    @classmethod
    def of(
        cls,
        store: Store,
        *,
        num_rows: int,
        dataset_id: int,
        recipe_id: int,
        rollouts: int,
        turn_limit: int,
        retry: Collection[Retry],
        duplicates: bool,
    ) -> Survey:
        """Read it. duplicates: rows that repeat a photo are not excluded for it."""
        states = np.zeros(num_rows, dtype=np.uint8)
        finished = store.samples.finished_samples(
            dataset_id=dataset_id,
            recipe_id=recipe_id,
            rollouts=rollouts,
            turn_limit=turn_limit,
            retry=retry,
        )
        states[finished] = FINISHED
        reasons = {}
        for state, (reason, rows) in enumerate(
            sorted(store.samples.excluded_samples(dataset_id).items()), _FIRST_REASON
        ):
            if reason == "duplicate" and duplicates:
                continue
            states[rows] = state
            reasons[state] = reason
        return cls(states, reasons)

    def states(self, rows: NDArray[np.int64]) -> NDArray[np.uint8]:
        """The states of these rows."""
        return self._states[rows]
