"""Photos that stand in several datasets: which were answered already, and rows that stand for them.

A photo is known by the hash of its stored bytes, so a shuffled, filtered or converted
dataset holds the same photos under another fingerprint. A row that is attached keeps
its own place and columns; its traces are those of the sample that it stands for.
"""

from __future__ import annotations

from dataclasses import dataclass

from geostore.store.db import Db, utc_now

SAME_PLACE_DEGREES = 1e-4
"""Coordinates closer than this, about 11 m, count as the same, since files may round them."""


@dataclass(frozen=True, slots=True)
class AnsweredCopy:
    """The sample of another dataset that holds the same photo and was answered."""

    sample_id: int
    """The id of its row in `samples`."""
    dataset: str
    """What its dataset is called in this store; no other is called so."""
    same_place: bool
    """Whether its true place is the same as well; else it is another sample."""


def has_answered_elsewhere(db: Db, *, dataset_id: int, recipe_id: int) -> bool:
    """Whether any photo of another dataset was answered under this recipe."""
    return bool(db.number("has_answered_elsewhere", dataset_id=dataset_id, recipe_id=recipe_id))


def find_answered_copy(
    db: Db,
    *,
    dataset_id: int,
    recipe_id: int,
    sample_index: int,
    image_sha256: str,
    lat: float,
    lon: float,
) -> AnsweredCopy | None:
    """Where the photo of a dataset row was answered under this recipe; None where nowhere.

    None, too, where the row has been asked about itself, or is attached already. lat, lon: the
    row's true place, in degrees.
    """
    row = db.run(
        "find_answered_copy",
        dataset_id=dataset_id,
        recipe_id=recipe_id,
        sample_index=sample_index,
        image_sha256=image_sha256,
        lat=lat,
        lon=lon,
        degrees=SAME_PLACE_DEGREES,
        now=utc_now(),
    ).fetchone()
    if row is None:
        return None
    return AnsweredCopy(row["id"], row["dataset"], bool(row["same_place"]))


def attach_sample(db: Db, sample_id: int, copy: AnsweredCopy) -> bool:
    """Let a row stand for its copy, whose traces are its own from now on; whether it does.

    Call it inside `Db.transaction`. The row stays apart where it has been asked about.
    """
    db.run("drop_empty_traces", sample_id=sample_id, now=utc_now())
    attached = db.run("attach_sample", sample_id=sample_id, same_as=copy.sample_id).fetchone()
    return attached is not None
