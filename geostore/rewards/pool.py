"""Child processes for a custom reward function, with a time limit for each row.

A child that hangs is killed with all that it started and replaced, and so is one
that dies; the row it was at gets the reason, and the rows behind it are given to
another.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from geostore.children import Crew
from geostore.errors import ChildEnded, RewardError
from geostore.rewards.worker import Failed, Row, Scored, make_scorer

TIMEOUT = "timeout"
CRASHED = "crashed"
_ROWS_AT_ONCE = 32


class Pool:
    """Runs one function over rows in several processes. Use as a context manager.

    target: as `worker.load_function` takes it. time_limit: seconds per row.
    """

    def __init__(self, target: str, *, workers: int, time_limit: float) -> None:
        self._target = target
        self._time_limit = time_limit
        self._crew: Crew[tuple[int, Row], Scored | Failed] = Crew(
            partial(make_scorer, target), workers, time_limit=time_limit
        )

    def __enter__(self) -> Pool:
        return self

    def __exit__(self, *exc_info: object) -> None:
        """Kill what still runs."""
        self._crew.kill()

    def run(self, rows: Sequence[Row]) -> list[Scored | Failed]:
        """A result for each row, in their order.

        The reason of a failure is one of those of `worker`, ``timeout`` or ``crashed``.
        Raises RewardError where the function cannot be loaded.
        """
        results: dict[int, Scored | Failed] = {}
        try:
            for (index, _), result in self._crew.run(enumerate(rows), at_once=_ROWS_AT_ONCE):
                results[index] = self._failed(result) if isinstance(result, ChildEnded) else result
        except ChildEnded as error:
            raise RewardError(f"{self._target} cannot be used: {error}") from error
        return [results[index] for index in range(len(rows))]

    def _failed(self, ended: ChildEnded) -> Failed:
        if ended.was_late:
            return Failed(TIMEOUT, f"longer than {self._time_limit:g} s")
        return Failed(CRASHED, f"the process ended with exit code {ended.exit_code}")
