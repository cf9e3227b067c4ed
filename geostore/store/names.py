"""Which trace a name means: its whole name, a row number, or the start of a name.

A name such as ``17-3fa1c2d4-1`` means the same trace for ever. Traces of the store's first
dataset have no more than that; before those of every other dataset stands its label, as in
``streets:17-3fa1c2d4-1``. A label is given to a dataset once, when it comes into the store.
"""

from __future__ import annotations

import re

from geostore.errors import NotFoundError
from geostore.store.db import Db, Row
from geostore.text.nearest import did_you_mean
from geostore.text.phrases import format_score

_NAME = re.compile(r"(\d{1,18})(?:-([0-9a-f]*)(?:-(\d*))?)?", re.ASCII)
_LISTED = 12
_NEAREST = 3
_LONGEST = 80  # characters of what a person wrote that an error repeats


def find_trace(db: Db, name: str) -> int:
    """The id of the trace that a name means.

    name: a whole name, the start of one from its row number on, or a row number alone, which is
    never the start of a longer number. Without a label it may be of any dataset, and the whole
    name of a trace of the first one means that one. Raises NotFoundError, which lists the traces
    where several fit, and the nearest names where none does.
    """
    label, _, rest = name.strip().rpartition(":")
    parts = _NAME.fullmatch(rest.lower())
    if parts is None:
        raise NotFoundError(
            f"{_shortened(name)} is not a trace name; they look like 17-3fa1c2d4-1 "
            "(row, start of the recipe's hash, rollout); list them with: geostore traces"
        )
    asked = {
        "label": label or None,
        "sample_index": int(parts[1]),
        "recipe": parts[2] or "",
    }
    matches = db.run("traces_by_name", **asked, rollout=parts[3] or "", most=_LISTED).fetchall()
    whole = [row for row in matches if row["whole"]]
    named = [row for row in whole if label or row["of_first_dataset"]]
    for choice in (named, whole, matches):
        if len(choice) == 1:
            return int(choice[0]["id"])
    if matches:
        raise NotFoundError(_several(name, matches))
    labels = [row["label"] for row in db.run("dataset_labels")]
    if label and label not in labels:
        meant = did_you_mean(label, labels)
        raise NotFoundError(
            f"no dataset {_shortened(label)} in {db.path}{meant}; there are: {', '.join(labels)}"
        )
    nearest = [row["trace"] for row in db.run("nearest_names", **asked, most=_NEAREST)]
    near = f"; the nearest: {', '.join(nearest)}" if nearest else ""
    raise NotFoundError(
        f"no trace {_shortened(name)} in {db.path}{near}; list them with: geostore traces"
    )


def _several(name: str, matches: list[Row]) -> str:
    """What a person reads who has to choose: a line for each trace that a name may mean."""
    total = matches[0]["total"]
    width = max(len(row["trace"]) for row in matches)
    lines = [f"{_shortened(name)} fits {total:,} traces; name one of them:"]
    lines += [f"  {row['trace']:<{width}}  {', '.join(_facts(row))}" for row in matches]
    if total > len(matches):
        lines.append(f"  and {total - len(matches):,} more")
    return "\n".join(lines)


def _facts(row: Row) -> list[str]:
    facts = [row["status"]]
    if row["failure"] is not None:
        facts.append(f"no coordinates ({row['failure']})")
    if row["distance_km"] is not None:
        digits = 1 if row["distance_km"] < 100 else 0
        facts.append(f"{row['distance_km']:,.{digits}f} km")
    if row["score"] is not None:
        facts.append(f"score {format_score(row['score'])}")
    if row["model"] is not None:
        facts.append(row["model"])
    if row["with_tools"] is not None:
        facts.append("with tools" if row["with_tools"] else "without tools")
    return facts


def _shortened(text: str) -> str:
    return repr(text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…")
