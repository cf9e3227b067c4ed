"""What an export is asked for in Python: options, conditions and splits as keyword arguments."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, cast

from geostore.export.images import ImagesMode
from geostore.export.messages import MessagesMode
from geostore.export.options import (
    Compression,
    ExportOptions,
    Format,
    PairsAs,
    PairsFor,
    ReasoningMode,
)
from geostore.export.splits import Splits, make_splits
from geostore.export.student.students import StudentFrame, StudentName
from geostore.export.trainers.dialects import DialectName
from geostore.store import ENDED, Choice, Filter, Selection, read_selection


class ExportKeywords(Selection, total=False):
    """The fields of `ExportOptions`, the arguments of `make_splits`, and a `Selection`."""

    format: Format
    messages: MessagesMode
    images: ImagesMode | None
    dataset_path: str | None
    reasoning: ReasoningMode
    shard_size: int | None
    compress: Compression | None
    mask_turns: Sequence[str]
    dialect: DialectName | None
    bbox_frame: StudentFrame | None
    student: StudentName | None
    student_pixels: int | None
    tokenizer: str | None
    pairs_for: PairsFor | None
    pairs_as: PairsAs
    min_gap: float
    split: str | Mapping[str, float] | None
    """Such as ``{"train": 0.98, "val": 0.02}``."""
    split_by: str | None
    split_seed: int


@dataclass(frozen=True, slots=True)
class ExportRequest:
    """What an export is asked for."""

    options: ExportOptions
    """How traces are written."""
    filters: Filter
    """Which traces."""
    choice: Choice
    """Which of them, compared with one another."""
    splits: Splits | None
    """How they are split; None: not at all."""


def read_keywords(keywords: ExportKeywords) -> ExportRequest:
    """What keyword arguments ask for.

    Raises TypeError for a keyword that there is not, ExportError, FilterError.
    """
    members = cast("dict[str, Any]", dict(keywords))
    names = [field.name for field in fields(ExportOptions)]
    options = ExportOptions(**{name: members.pop(name) for name in names if name in members})
    split = members.pop("split", None)
    by, seed = members.pop("split_by", None), members.pop("split_seed", 0)
    filters, choice = read_selection(
        cast("Selection", members),
        statuses=ENDED,
        beside=(*names, "split", "split_by", "split_seed"),
    )
    return ExportRequest(options, filters, choice, make_splits(split, by=by, seed=seed))
