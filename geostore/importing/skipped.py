"""The table at the end of an import: how many files of each kind were skipped, and what to do."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from types import MappingProxyType

from geostore.text.tables import QueryResult, format_table

WHAT_TO_DO: Mapping[str, str] = MappingProxyType(
    {
        "unreadable": "see that the file is there and that you may read it",
        "packed": "unpack it, and import what comes out",
        "not_json": "it was cut off or is no JSON: copy it again from where it came from",
        "no_trace": "none where it is another program's; else its conversation is missing",
        "malformed": "mend the member that is named, then import it again",
        "row_mismatch": "--match coordinates looks for the row that lies where the file says",
        "other_dataset": "name the dataset that the export was made from with --dataset-path",
        "has_calls": "import it without --no-tools",
        "conflict": "its line names the way: --label NAME, --dataset-path, or another file name",
    }
)
"""By kind of problem; at most 80 characters, so that a pipe shows all of it."""


def skipped_table(skipped: Counter[str]) -> str:
    """A row for each kind that was skipped, the most first."""
    rows: list[tuple[str, int, str]] = [
        (kind, count, WHAT_TO_DO[kind]) for kind, count in skipped.most_common()
    ]
    return format_table(QueryResult(("problem", "skipped", "what to do"), rows), with_count=False)
