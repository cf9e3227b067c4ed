"""How many examples a property is tried on: few enough in `make test`, many more in `make soak`."""

from __future__ import annotations

import os

_TIMES = float(os.environ.get("GEOSTORE_EXAMPLES", "1"))


def examples(count: int) -> int:
    """So many, times the environment's GEOSTORE_EXAMPLES."""
    return max(1, round(count * _TIMES))
