"""The SQLite file of a store: the only rooms that know SQLite's errors, rows and statements."""

from geostore.store.checking import (
    FileCheck,
    FileState,
    TraceIds,
    find_photo,
    iter_trace_ids,
    turn_versions,
)
from geostore.store.opening import Durability
from geostore.store.snapshot import ENDED, Filter, Scope, Snapshot, open_snapshot
from geostore.store.store import ClaimedTrace, KnownSample, NotClaimed, Retry, Store, utc_now

__all__ = [
    "ENDED",
    "ClaimedTrace",
    "Durability",
    "FileCheck",
    "FileState",
    "Filter",
    "KnownSample",
    "NotClaimed",
    "Retry",
    "Scope",
    "Snapshot",
    "Store",
    "TraceIds",
    "find_photo",
    "iter_trace_ids",
    "open_snapshot",
    "turn_versions",
    "utc_now",
]
