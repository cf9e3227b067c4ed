"""What is known of an image that was made again for an imported trace.

The script that wrote a trace file made its images in a way that the file does not
state. Importing makes each image again from the photo and the rows of the calls, and
compares it with the one in the file; the result is a row (table ``image_proofs``).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

ProofKind = Literal["exact", "near", "unseen", "not"]
"""``exact``: it has the pixels of the image in the file. ``near``: it shows the same, and differs
by less than `imaging.likeness` allows. ``unseen``: the file holds no image to compare with.
``not``: it is another image, or could not be made."""

Resample = Literal["lanczos", "bicubic", "bilinear"]
"""Pillow's filters with which scripts resize."""


@dataclass(frozen=True, slots=True)
class Making:
    """How an image is made of its source, beside the box or angle and the size in its row."""

    cut_from: Literal["full", "sent"] = "full"
    """What the photo is to the calls: at full resolution, or reduced to the size it was sent in."""
    resample: Resample = "lanczos"
    """The filter that resizes it."""
    quality: int | None = 90
    """Of the JPEG, 1 to 100; None: a PNG."""
    subsampling: str = "4:2:0"
    """Of the JPEG's colours."""
    as_stored: bool = False
    """Whether it is the photo's own file, without its metadata; the others then say nothing."""


@dataclass(frozen=True, slots=True)
class ImageProof:
    """One image of an imported trace, and whether it could be proven."""

    image_index: int
    """Its number in the conversation; 0 is the photo."""
    proof: ProofKind
    """What could be proven."""
    turn: int
    """The turn whose call gave it; 0 for the photo."""
    file_sha256: str | None = None
    """By which messages name the image: of the bytes in the trace file, or the path or address that
    the file has in place of bytes; None: it has neither."""
    difference: float | None = None
    """Mean difference of a colour value from the file's, 0 to 255; None: nothing was compared."""
    why: str | None = None
    """Why it could not be made or is another image, in words; None unless `proof` is ``not``."""
    making: Making | None = None
    """How it is made; None where `proof` is ``not``."""
