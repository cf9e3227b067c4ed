"""The SQLite file of a store: the only room that knows SQLite's errors, rows and statements."""

from geostore.store.checking import (
    FileCheck,
    FileState,
    TraceIds,
    find_photo,
    iter_trace_ids,
    turn_versions,
)
from geostore.store.choice import (
    EVERY,
    Choice,
    Choosing,
    Selection,
    make_choice,
    read_selection,
)
from geostore.store.chosen import Chosen
from geostore.store.claims import ClaimedTrace, NotClaimed
from geostore.store.db import Db, Row, utc_now
from geostore.store.facts import UnequalFacts, iter_unequal_facts, mend_facts
from geostore.store.filters import ENDED, Conditions, Filter, make_filter, moment
from geostore.store.listing import Order, TraceLine, TraceList
from geostore.store.opening import Durability
from geostore.store.recent import RecentRequest, recent_requests
from geostore.store.runs import UnseenRun
from geostore.store.samples import KnownSample, Retry
from geostore.store.snapshot import Scope, Snapshot, open_snapshot
from geostore.store.store import Store

__all__ = [
    "ENDED",
    "EVERY",
    "Choice",
    "Choosing",
    "Chosen",
    "ClaimedTrace",
    "Conditions",
    "Db",
    "Durability",
    "FileCheck",
    "FileState",
    "Filter",
    "KnownSample",
    "NotClaimed",
    "Order",
    "RecentRequest",
    "Retry",
    "Row",
    "Scope",
    "Selection",
    "Snapshot",
    "Store",
    "TraceIds",
    "TraceLine",
    "TraceList",
    "UnequalFacts",
    "UnseenRun",
    "find_photo",
    "iter_trace_ids",
    "iter_unequal_facts",
    "make_choice",
    "make_filter",
    "mend_facts",
    "moment",
    "open_snapshot",
    "read_selection",
    "recent_requests",
    "turn_versions",
    "utc_now",
]
