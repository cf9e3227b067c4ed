"""The distances of rewards whose radius is ``wgs84``: computed by numpy, a batch at a time.

SQL has no geodesic, and a function of Python that SQLite calls for each row would take a minute
for a million traces. So the distances of a batch go into a temporary table before SQLite computes
its scores.
"""

from __future__ import annotations

from geostore.store import Db


def put_geodesics(db: Db, spec_id: int, *, after: int, last: int) -> None:
    """Fill temp.geodesics for the pending traces with ids in (after, last], if the spec needs it.

    To be called inside a transaction, of a reader or a writer, because SQLite would otherwise
    commit each of them by itself, ten times as slowly. Raises StoreError.
    """
    cursor = db.run("pending_pairs", spec_id=spec_id, after=after, last=last)
    cursor.row_factory = None
    rows = cursor.fetchall()
    if not rows:
        return
    import numpy as np

    from geostore.rewards.numeric import geodesic_km

    ids, *places = zip(*rows, strict=True)
    distances = geodesic_km(*(np.array(degrees, dtype=np.float64) for degrees in places))
    db.run("clear_geodesics")
    named = zip(ids, distances.tolist(), strict=True)
    db.run_many("put_geodesic", ({"trace_id": trace_id, "km": km} for trace_id, km in named))
