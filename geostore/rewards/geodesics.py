"""The distances of rewards whose radius is ``wgs84``: computed by numpy, a batch at a time.

SQL has no geodesic, and a function of Python that computes it for each row would take a minute
for a million traces. So the distances of a batch are computed before its scores, and the function
that SQLite calls for each row only looks its distance up.
"""

from __future__ import annotations

from itertools import chain

from geostore.store import Db

GEODESICS = "geodesic_km"
"""The mapping that ``rescore_traces`` reads: the km of a batch's traces with coordinates, by id."""

_BLOCK = 500
"""Rows that are fetched at once."""


def fill_geodesics(db: Db, spec_id: int, *, after: int, last: int) -> None:
    """Fill the mapping for the pending traces with ids in (after, last], if the spec needs it.

    It holds nothing else afterwards. Raises StoreError.
    """
    distances = db.mapping(GEODESICS)
    distances.clear()
    pairs = db.run("pending_pairs", spec_id=spec_id, after=after, last=last)
    pairs.row_factory = None
    first = pairs.fetchmany(_BLOCK)
    if not first:
        return
    import numpy as np

    from geostore.rewards.numeric import geodesic_km

    # Block by block: a list of all rows would keep Python's garbage collector busy.
    blocks = chain([first], iter(lambda: pairs.fetchmany(_BLOCK), []))
    columns = [("trace_id", "i8"), *((name, "f8") for name in ("lat1", "lon1", "lat2", "lon2"))]
    rows = np.fromiter(chain.from_iterable(blocks), dtype=columns)
    km = geodesic_km(*(rows[name] for name, _ in columns[1:]))
    distances.update(zip(rows["trace_id"].tolist(), km.tolist(), strict=True))
