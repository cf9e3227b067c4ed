"""Proves what holds of a store after any run: it verifies, and its export comes back whole."""

from __future__ import annotations

from pathlib import Path

from geostore.export import Filter, MessagesMode, export
from geostore.importing import import_traces
from geostore.records import StoredTrace
from geostore.store import Store, open_snapshot
from geostore.verify import verify

_MODES: tuple[MessagesMode, ...] = ("delta", "full", "last")


def stored_traces(store_path: Path) -> list[StoredTrace]:
    """The traces of a store, in order."""
    with open_snapshot(store_path) as snapshot:
        return list(snapshot.traces(Filter(statuses=None)))


def assert_proven(store_path: Path, tmp_path: Path) -> None:
    """Every request follows from the rows, also from those that an export gives back."""
    tmp_path.mkdir(exist_ok=True)
    report = verify(store_path, workers=1)
    assert report.holds(strict=True), report.findings
    assert report.unverified_traces == 0
    with Store.open(store_path) as store:
        for mode in _MODES:
            export(store, tmp_path / f"export-{mode}", messages=mode)
    for mode in _MODES:
        with Store.open(tmp_path / f"again-{mode}.db", create=True, durability="normal") as again:
            result = import_traces(again, tmp_path / f"export-{mode}")
            assert (result.unproven, result.skipped.total()) == (0, 0), result.unproven_why
            there = {trace.name: trace.turns for trace in stored_traces(again.path)}
        closed = [trace for trace in stored_traces(store_path) if trace.status != "open"]
        assert list(there) == [trace.name for trace in closed]
        for trace in closed:
            requests = [(turn.request_sha256, turn.request_form) for turn in trace.turns]
            back = [(turn.request_sha256, turn.request_form) for turn in there[trace.name]]
            assert back == requests
