"""What stands in the manifest of an export: what was asked, what is in it, and what is not."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from geostore.export.files.filter_sql import filter_sql
from geostore.export.files.folder import ExportFolder
from geostore.export.left_out import Unwritten
from geostore.export.round_trip import dataset_entry, recipe_entry
from geostore.export.stream import ExportStream
from geostore.store import Filter
from geostore.store.rewards import StoredSpec

SCHEMA_VERSION = 1
"""The version of the trace record; goes up when a member changes its meaning."""


def manifest_of(
    traces: ExportStream,
    folder: ExportFolder,
    *,
    count: int,
    asked: Mapping[str, Any],
    filters: Filter,
    left_out: Counter[str],
    length: str | None,
) -> dict[str, Any]:
    """The manifest of an export that is written.

    folder: where all rows are written. count: traces in it. asked: filter, choice and options.
    left_out: how many traces of the store are not in it, by the first reason. length: of the
    longest row, in words.
    """
    spec = traces.reward_spec
    return {
        "schema_version": SCHEMA_VERSION,
        "format": traces.options.format,
        "count": count,
        "counts": {
            "rows": folder.rows,
            "images": folder.images,
            "indexed": folder.indexed,
        },
        **asked,
        "filter_sql": filter_sql(filters, None if spec is None else spec.sha256),
        "traces": {
            "seen": count + left_out.total(),
            "kept": count,
            "left_out": dict(sorted(left_out.items())),
            "without_value": traces.without_value,
            "unproven": traces.unproven,
            "unwritten": [asdict(trace) for trace in traces.unwritten.named],
        },
        **(
            {}
            if traces.splits is None
            else {"traces_by_split": dict(sorted(traces.split_counts.items()))}
        ),
        "length": length,
        **({"notes": traces.notes} if traces.notes else {}),
        "reward_spec": None if spec is None else _reward_spec(spec),
        "datasets": [dataset_entry(facts) for facts in traces.scope.datasets],
        "recipes": [recipe_entry(*item) for item in traces.scope.recipes.items()],
    }


def unwritten_in(manifest: Mapping[str, Any]) -> tuple[Unwritten, ...]:
    """The first traces that an export could not write, as its manifest names them."""
    return tuple(Unwritten(**trace) for trace in manifest["traces"]["unwritten"])


def _reward_spec(spec: StoredSpec) -> dict[str, Any]:
    """The reward whose scores an export carries, with all that its sha256 is the hash of."""
    return {
        "name": spec.name,
        "sha256": spec.sha256,
        "kind": spec.kind,
        "parameters": spec.parameters,
        "code_version": spec.code_version,
    }
