"""Proves what holds of a store after any run: it verifies, and its export comes back whole."""

from __future__ import annotations

import json
import re
from base64 import b64decode
from pathlib import Path

from geostore.conversation.sent import sent_messages
from geostore.export import ExportOptions, Filter, MessagesMode, export
from geostore.identity import sha256_hex
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
            export(store, tmp_path / f"export-{mode}", options=ExportOptions(messages=mode))
        export(
            store,
            tmp_path / "with-images.jsonl",
            options=ExportOptions(format="jsonl", images="embed"),
        )
    _assert_images_are_those_that_were_sent(store_path, tmp_path / "with-images.jsonl")
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


def _assert_images_are_those_that_were_sent(store_path: Path, exported: Path) -> None:
    """Each image of each request stands where its message had it, whatever form that had."""
    sent = {
        trace.name: [image for added in sent_messages(trace) for m in added for image in m.images]
        for trace in stored_traces(store_path)
    }
    lines = (exported / "traces.jsonl").read_text().splitlines()
    for document in map(json.loads, lines):
        urls = re.findall(r"data:image/jpeg;base64,([^\"]+)", json.dumps(document))
        hashes = [sha256_hex(b64decode(url)) for url in urls]
        assert hashes == sent[document["metadata"]["trace"]]
