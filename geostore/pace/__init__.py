"""Decides when a request may be sent: how many at a time, how many a minute, and whether at all.

Who wants to send waits in one queue for a place, and the head of the queue
alone decides what is waited for, so that nobody is overtaken. Four things hold
it back:

- the level: how many requests may be in flight. It starts at the ceiling or 16,
  whichever is less, and doubles with each round trip until the server is first
  overloaded; from then on it grows by one for each `level` successes, and an
  overload halves it, once per round trip (additive increase, multiplicative
  decrease);
- requests a minute, and tokens a minute, each as a bucket that holds no more
  than a tenth of a minute's worth;
- the breaker: when every request has failed for a while, only single probes go
  out, ever more rarely, until one of them succeeds.

A failed request gives its place back at once. How long it waits before it is
tried again (a server's Retry-After) is its own affair and spent outside, so one
that waits long holds up nobody.

Nothing polls: the queue is looked at when a request comes, reports or leaves,
and by a single timer set to when a bucket will hold enough, a probe is due or
it is time to give up.
"""

from geostore.pace.limits import PaceLimits
from geostore.pace.queue import Pace, PacedRequest

__all__ = ["Pace", "PaceLimits", "PacedRequest"]
