"""Scores pending traces with numpy, where this SQLite was built without its math functions."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from geostore.rewards.formulas import EXTRA_TERMS
from geostore.rewards.numeric import geoguessr_points, haversine_km, needs_extras, scores
from geostore.rewards.specs import RewardSpec
from geostore.store import Db, utc_now


def score_in_numpy(
    db: Db,
    spec: RewardSpec,
    spec_id: int,
    *,
    after: int,
    last: int,
    again: bool,
) -> int:
    """Compute the pending traces with ids in (after, last]; how many rewards were written.

    In the caller's transaction, as the statement that it stands in for.
    """
    found = db.run("pending_values", after=after, last=last, extras=needs_extras(spec)).fetchall()
    if not found:
        return 0
    ids, versions, *columns = zip(*map(tuple, found), strict=True)
    lat, lon, true_lat, true_lon, *extras = (np.array(c, dtype=np.float64) for c in columns)
    km = haversine_km(lat, lon, true_lat, true_lon, radius=spec.parameters["radius"])
    score = scores(spec, km, dict(zip(EXTRA_TERMS, extras, strict=True)))
    points = geoguessr_points(km)
    now = utc_now()
    return db.run_many(
        "put_reward",
        [
            {
                "spec_id": spec_id,
                "trace_id": trace_id,
                "parser_version": version,
                "distance_km": _known(km[place]),
                "score": _known(score[place]),
                "geoguessr_points": None if math.isnan(points[place]) else int(points[place]),
                "extra": None,
                "turn": None,
                "again": again,
                "now": now,
            }
            for place, (trace_id, version) in enumerate(zip(ids, versions, strict=True))
        ],
    )


def _known(value: Any) -> float | None:
    return None if math.isnan(value) else float(value)
