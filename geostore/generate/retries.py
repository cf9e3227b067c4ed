"""How failed requests are tried again."""

from __future__ import annotations

import random
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How failed requests are tried again.

    A wait is drawn evenly from zero to a bound that doubles with each failure,
    so that requests that failed together do not come back together.
    """

    max_attempts: int = 6
    """Requests for one turn, failures included, before the trace has failed."""

    first_wait: float = 1.0
    """The bound of the wait after the first failure, in seconds."""

    longest_wait: float = 60.0
    """The greatest bound of a wait, in seconds."""

    longest_retry_after: float = 300.0
    """A server's Retry-After is honoured up to this many seconds."""

    trace_timeout: float | None = None
    """Seconds that one run may spend on a trace before the trace has failed; None: no limit."""

    def wait(self, failures: int, retry_after: float | None) -> float:
        """Seconds to wait after so many failures (1 and up) of a turn.

        retry_after: seconds that the server asked for; None where it did not say.
        """
        # The exponent is bounded, because an outage of days would overflow a float.
        bound = min(self.longest_wait, self.first_wait * 2.0 ** min(failures - 1, 60))
        jittered = random.uniform(0, bound)
        if retry_after is None:
            return jittered
        return min(retry_after, self.longest_retry_after) + jittered
