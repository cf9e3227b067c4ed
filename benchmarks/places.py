"""Measure how fast points get their country, region and city.

One million points, spread as photos are: most within some tens of kilometres of a city, the more
the larger it is, and a tenth anywhere on earth, most of which is sea. Some of those near cities lie
off a coast. Times are of the process, so that other work on the machine does not count. Tables
are read before the clock starts; how long that takes is measured in a process of its own.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time

import numpy as np
from figures import HEADER, Figure
from numpy.typing import NDArray

from geostore.places import place_of, places_of
from geostore.places.cities import cities

POINTS = 1_000_000
GOAL_SECONDS = 30.0
GOAL_FIRST_SECONDS = 0.3
_FIRST_PLACE = """
import time
import numpy
from geostore.places import place_of
began = time.process_time()
place_of(48.85, 2.35)
print(time.process_time() - began)
"""

Floats = NDArray[np.float64]


def figures(*, points: int = POINTS) -> list[Figure]:
    """Seconds for all points and for the first, and microseconds for one on land and at sea."""
    lats, lons = as_photos_are(points)
    place_of(0.0, 0.0)
    places_of(lats[:100], lons[:100])
    began = time.process_time()
    places = places_of(lats, lons)
    seconds = time.process_time() - began
    at_sea = sum(place.coast_km is not None for place in places)
    nowhere = sum(place.country is None for place in places)
    some = range(0, points, max(1, points // 2_000))
    land = [point for point in some if places[point].city and places[point].coast_km is None]
    sea = [point for point in some if places[point].coast_km is not None]
    share = f"{at_sea / points:.0%} at sea off a coast, {nowhere / points:.0%} nowhere"
    return [
        Figure(f"{points:,} points", seconds, " s", GOAL_SECONDS * points / POINTS, note=share),
        Figure("the first point of a process", first_seconds(), " s", GOAL_FIRST_SECONDS),
        Figure("one point on land, by itself", micros(lats[land], lons[land]), " µs"),
        Figure("one point at sea, by itself", micros(lats[sea], lons[sea]), " µs"),
    ]


def as_photos_are(count: int) -> tuple[Floats, Floats]:
    """Latitudes and longitudes of points near cities, off coasts and anywhere."""
    rng = np.random.default_rng(12)
    weights = np.sqrt(cities().populations + 1.0)
    rows = rng.choice(len(weights), size=count, p=weights / weights.sum())
    lats = cities().lats[rows] + rng.normal(0, 0.2, count)
    lons = cities().lons[rows] + rng.normal(0, 0.3, count)
    anywhere = rng.random(count) < 0.1
    lats[anywhere] = np.degrees(np.arcsin(rng.uniform(-1, 1, int(anywhere.sum()))))
    lons[anywhere] = rng.uniform(-180, 180, int(anywhere.sum()))
    return np.clip(lats, -90, 90), (lons + 180) % 360 - 180


def micros(lats: Floats, lons: Floats) -> float:
    """Microseconds that `place_of` takes for a point, on average of all, each looked up twice."""
    pairs = list(zip(lats.tolist(), lons.tolist(), strict=True))
    for lat, lon in pairs:
        place_of(lat, lon)
    began = time.process_time()
    for lat, lon in pairs:
        place_of(lat, lon)
    return (time.process_time() - began) / len(pairs) * 1e6


def first_seconds() -> float:
    """The least of three processes' time for their first place: reading the tables."""
    runs = [
        subprocess.run(
            [sys.executable, "-c", _FIRST_PLACE], capture_output=True, text=True, check=True
        )
        for _ in range(3)
    ]
    return min(float(run.stdout) for run in runs)


def main() -> None:
    parser = argparse.ArgumentParser(description="Time the places of points.")
    parser.add_argument("--points", type=int, default=POINTS)
    print(HEADER)
    for figure in figures(points=parser.parse_args().points):
        print(figure.line())


if __name__ == "__main__":
    main()
