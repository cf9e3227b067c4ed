"""Asks Pillow whether bytes are an image, without decoding its pixels."""

from __future__ import annotations

import io
from pathlib import Path

from PIL import Image

from geostore.imaging.encoding import quiet


def opens(image: bytes | Path) -> bool:
    """Whether an image, given by its bytes or its file, can be opened."""
    try:
        with (
            quiet(),
            Image.open(io.BytesIO(image) if isinstance(image, bytes) else image) as opened,
        ):
            opened.verify()
    except Exception:  # Pillow's decoders raise what they like
        return False
    return True
