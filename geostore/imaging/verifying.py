"""Tells whether bytes are a whole image, without decoding its pixels."""

from __future__ import annotations

import io
from pathlib import Path

from PIL import Image

from geostore.imaging.encoding import quiet
from geostore.imaging.metadata import strip


def opens(image: bytes | Path) -> bool:
    """Whether an image, given by its bytes or its file, can be opened and does not end early."""
    try:
        data = image if isinstance(image, bytes) else image.read_bytes()
        with quiet(), Image.open(io.BytesIO(data)) as opened:
            opened.verify()
        if opened.format == "JPEG":
            strip(data)  # Pillow looks at no more than a JPEG's header
    except Exception:  # Pillow's decoders raise what they like
        return False
    return True
