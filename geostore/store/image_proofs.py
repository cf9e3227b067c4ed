"""What was proven of the images of imported traces, as rows."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import orjson

from geostore.identity import canonical_text
from geostore.proofs import ImageProof, Making
from geostore.records import ImageFacts, ToolCall
from geostore.store import rows
from geostore.store.db import Db, utc_now


@dataclass(frozen=True, slots=True)
class NamedFrame:
    """A frame that the user names for the boxes of some files."""

    frame: str
    """The frame."""
    path: str
    """A file, absolute; it may hold several traces, or be a folder."""
    is_folder: bool
    """Whether `path` is a folder; then all files in it and below are meant."""

    def values(self) -> dict[str, str]:
        """As the statements take it."""
        if self.is_folder:
            starts = [self.path.rstrip("/") + "/"]
        else:
            starts = [f"{self.path}:", f"{self.path}["]  # lines, and entries of a list
        return {"bbox_frame": self.frame, "path": self.path, "starts": canonical_text(starts)}


_NO_FRAME = {"bbox_frame": None, "path": None, "starts": "[]"}


@dataclass(frozen=True, slots=True)
class UnprovenRecipe:
    """An imported recipe with traces whose images are to be made."""

    recipe_id: int
    """Its id in the store."""
    model: str | None
    """The teacher's name; None where nobody knows it."""
    traces: int
    """How many of its traces have images to be made."""


def unproven_recipes(db: Db, named: NamedFrame | None) -> list[UnprovenRecipe]:
    """Imported recipes with traces whose photo is known and whose images were not made yet.

    named: also those whose boxes were read in another frame than this.
    """
    values = _NO_FRAME if named is None else named.values()
    return [
        UnprovenRecipe(row["recipe_id"], row["model"], row["traces"])
        for row in db.run("unproven_recipes", **values)
    ]


def unproven_traces(db: Db, recipe_id: int, named: NamedFrame | None) -> Sequence[int]:
    """The ids of these traces of a recipe, in 8 bytes each: there may be millions."""
    values = _NO_FRAME if named is None else named.values()
    rows_of_recipe = db.run("unproven_traces", recipe_id=recipe_id, **values)
    return array("q", (row["trace_id"] for row in rows_of_recipe))


def files_of_trace(db: Db, trace_id: int) -> list[tuple[str, str]]:
    """The path of each file that a trace was imported from, with the hash of what was read."""
    return [(row["path"], row["sha256"]) for row in db.run("files_of_trace", trace_id=trace_id)]


def put_remade(
    db: Db,
    trace_id: int,
    *,
    photo: ImageFacts | None,
    calls: Sequence[ToolCall],
    proofs: Sequence[ImageProof],
    frame: str,
) -> None:
    """Complete the rows of an imported trace with its images. Call it inside a transaction.

    What was proven of its images before is forgotten. photo: as it was sent, None where it
    is not known. frame: in which its boxes were read.
    """
    db.run("forget_image_proofs", trace_id=trace_id)
    put_remade_photo(db, trace_id, photo)
    for call in calls:
        db.run("put_remade_call", **_call_row(call), trace_id=trace_id)
    put_image_proofs(db, trace_id, proofs, frame=frame)


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


def put_image_proofs(
    db: Db, trace_id: int, proofs: Sequence[ImageProof], *, frame: str | None
) -> None:
    """Record what was proven of a trace's images.

    frame: in which its boxes were read; None: an export says what they are.
    """
    for proof in proofs:
        making = None if proof.making is None else canonical_text(asdict(proof.making))
        values = {**asdict(proof), "making": making, "bbox_frame": frame}
        db.run("put_image_proof", **values, trace_id=trace_id)


def image_proof_record(row: rows.Places) -> ImageProof:
    """From image_proofs_of_traces, which gives all fields in their order behind the trace's id."""
    _, image_index, proof, turn, file_sha256, difference, why, making = row
    return ImageProof(
        image_index=image_index,
        proof=proof,
        turn=turn,
        file_sha256=file_sha256,
        difference=difference,
        why=why,
        making=None if making is None else Making(**orjson.loads(making)),
    )


def confirm_box_frame(db: Db, named: NamedFrame) -> None:
    """Record that the user named the frame in which the boxes of some files are read already."""
    db.run("confirm_box_frame", **named.values())


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
