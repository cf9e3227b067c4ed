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

    from geostore.api import GeoStore, Trace
    from geostore.export.files.checking import CheckResult
    from geostore.records import StoredTrace

__all__ = [
    "GeoStore",
    "GeostoreError",
    "StoredTrace",
    "Trace",
    "__version__",
    "check_export",
    "open",
]


def open(path: str | os.PathLike[str], *, create: bool = False) -> GeoStore:
    """Open a store; use the result as a context manager.

    create: make the store where there is none, which a wrong path must not do by itself. Raises
    StoreError where there is no store at `path`.
    """
    from geostore.api import GeoStore

    return GeoStore(path, create=create)


def check_export(folder: str | os.PathLike[str]) -> CheckResult:
    """Read an export again, and say what is wrong with it; see `geostore.export.files.checking`."""
    from geostore.export.files.checking import check_export

    return check_export(folder)


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from geostore.version import VERSION

        return VERSION
    if name in ("GeoStore", "Trace"):
        import geostore.api

        return getattr(geostore.api, name)
    if name == "StoredTrace":
        from geostore.records import StoredTrace

        return StoredTrace
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
