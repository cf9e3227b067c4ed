"""geostore: a teacher's answers about photos, kept once, as rows.

::

    import geostore

    with geostore.open("geostore.db") as store:
        for trace in store.traces(min_score=0.5):
            print(trace.name, trace.reward.distance_km)

What is heavy is imported when it is used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from geostore.errors import GeostoreError

if TYPE_CHECKING:
    import os

    from geostore.api import GeoStore
    from geostore.records import StoredTrace

__all__ = ["GeoStore", "GeostoreError", "StoredTrace", "__version__", "open"]


def open(path: str | os.PathLike[str]) -> GeoStore:
    """Open a store that is there; use the result as a context manager.

    Raises StoreError where there is no store at `path`: this never makes one.
    """
    from geostore.api import GeoStore

    return GeoStore(path)


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from geostore.version import VERSION

        return VERSION
    if name == "GeoStore":
        from geostore.api import GeoStore

        return GeoStore
    if name == "StoredTrace":
        from geostore.records import StoredTrace

        return StoredTrace
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
