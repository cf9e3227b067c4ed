"""Decides when a request may be sent: how many at a time, how many a minute, and whether at all.

All requests wait in one queue for a place. Only the head of the queue is looked
at, so that no request overtakes another. Four things hold the head back:

- the level: how many requests may be in flight. It starts at the ceiling or 16,
  whichever is less, and doubles with each round trip until the server is first
  overloaded; from then on it grows by one for each `level` successes, and an
  overload halves it, once per round trip (additive increase, multiplicative
  decrease);
- requests a minute, and tokens a minute: spread evenly, and never more than the
  limit in any minute, also over a restart (`Pace.remember`);
- the breaker: when every request has failed for a while, or many in a row were
  refused (each refusal ends a trace), only single probes go out, at growing
  intervals, until one of them succeeds.

A failed request gives its place back at once. Its caller waits outside the queue
before it tries again (as a server's Retry-After asks), so a long wait holds up no
other request.

Nothing polls. The queue is looked at when a request comes, reports or leaves, and
when a timer fires; the timer is set to when a limit allows the next, a probe is
due or it is time to give up.
"""

from geostore.pace.limits import PaceLimits
from geostore.pace.minute import WINDOW_SECONDS
from geostore.pace.queue import OUTAGE, Hold, Pace, PacedRequest

__all__ = ["OUTAGE", "WINDOW_SECONDS", "Hold", "Pace", "PaceLimits", "PacedRequest"]
