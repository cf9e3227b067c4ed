"""What was proven of the images of imported traces, as rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import orjson

from geostore.identity import canonical_text
from geostore.proofs import ImageProof, Making
from geostore.records import ImageFacts, ToolCall
from geostore.store import rows
from geostore.store.db import Db, Row, utc_now


@dataclass(frozen=True, slots=True)
class UnprovenTrace:
    """An imported trace whose images were not made again."""

    trace_id: int
    """Its id in the store."""
    recipe_id: int
    """The id of its recipe."""
    model: str | None
    """The teacher's name; None where nobody knows it."""
    path: str
    """A file that it was imported from, absolute."""


def unproven_traces(db: Db) -> list[UnprovenTrace]:
    """Imported traces whose photo is known and whose images were not made again, by recipe."""
    return [
        UnprovenTrace(row["trace_id"], row["recipe_id"], row["model"], row["path"])
        for row in db.run("unproven_traces")
    ]


def put_remade(
    db: Db,
    trace_id: int,
    *,
    photo: ImageFacts | None,
    calls: Sequence[ToolCall],
    proofs: Sequence[ImageProof],
) -> None:
    """Complete the rows of an imported trace with its images. Call it inside a transaction.

    photo: as it was sent, None where it is not known.
    """
    put_remade_photo(db, trace_id, photo)
    for call in calls:
        db.run("put_remade_call", **_call_row(call), trace_id=trace_id)
    put_image_proofs(db, trace_id, proofs)


def put_remade_photo(db: Db, trace_id: int, photo: ImageFacts | None) -> None:
    """Set the photo of an imported trace as it was sent; None where it is not known."""
    db.run(
        "put_remade_photo",
        trace_id=trace_id,
        sha256=photo.sha256 if photo else None,
        pixels_xxh128=photo.pixels_xxh128 if photo else None,
        width=photo.width if photo else None,
        height=photo.height if photo else None,
    )


def put_image_proofs(db: Db, trace_id: int, proofs: Sequence[ImageProof]) -> None:
    """Record what was proven of a trace's images."""
    for proof in proofs:
        making = None if proof.making is None else canonical_text(asdict(proof.making))
        db.run("put_image_proof", **{**asdict(proof), "making": making}, trace_id=trace_id)


def image_proof_record(row: Row) -> ImageProof:
    """From image_proofs_of_traces."""
    return ImageProof(
        image_index=row["image_index"],
        proof=row["proof"],
        turn=row["turn"],
        file_sha256=row["file_sha256"],
        difference=row["difference"],
        why=row["why"],
        making=None if row["making"] is None else Making(**orjson.loads(row["making"])),
    )


def forget_image_proofs(db: Db, *, path: str, bbox_frame: str) -> None:
    """Forget the images of traces whose boxes were not read in this frame by order.

    path: the start of the paths of their files.
    """
    db.run("forget_image_proofs", path=path, bbox_frame=bbox_frame)


def put_box_frame(db: Db, recipe_id: int, **values: Any) -> None:
    """Record how the boxes of an imported recipe are read; `values` are the table's columns."""
    others = canonical_text(dict(values.pop("others")))
    db.run("put_box_frame", recipe_id=recipe_id, others=others, now=utc_now(), **values)


def find_box_frame(db: Db, recipe_id: int) -> dict[str, Any] | None:
    """How the boxes of an imported recipe are read; None where that was not found out yet."""
    row = db.run("find_box_frame", recipe_id=recipe_id).fetchone()
    return None if row is None else {**dict(row), "others": orjson.loads(row["others"])}


def _call_row(call: ToolCall) -> dict[str, Any]:
    row = rows.tool_call_row(call)
    for name in ("name", "raw_arguments", "success", "error_kind", "observation"):
        del row[name]
    return row
