"""Whether an image file is whole, told without decoding it."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from PIL import Image

from geostore.errors import ImageError
from geostore.imaging import decode, prepare_photo, probe
from geostore.imaging.verifying import opens
from geostore.records import ImageLimits


def saved(format: str, **options: object) -> bytes:
    image = Image.effect_noise((640, 480), 60).convert("RGB")
    buffer = io.BytesIO()
    image.save(buffer, format, **options)
    return buffer.getvalue()


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(saved("JPEG"), id="JPEG"),
        pytest.param(saved("JPEG", progressive=True), id="progressive JPEG"),
        pytest.param(saved("PNG"), id="PNG"),
        pytest.param(saved("WEBP"), id="WebP"),
    ],
)
def test_an_image_without_its_last_third_does_not_open_and_is_not_sent(
    data: bytes, tmp_path: Path
) -> None:
    """Pillow alone opens such a JPEG: it reads no more than the header."""
    file = tmp_path / "image"
    file.write_bytes(data)
    assert opens(data)
    assert opens(file)
    cut = data[: len(data) * 2 // 3]
    file.write_bytes(cut)
    assert not opens(cut)
    assert not opens(file)
    limits = ImageLimits(min_pixels=1, max_pixels=10**9, factor=1)
    for read in (probe, decode, lambda photo: prepare_photo(photo, limits)):
        with pytest.raises(ImageError) as caught:
            read(cut)
        assert caught.value.kind == "undecodable"


def test_what_is_no_image_and_a_file_that_is_not_there_do_not_open(tmp_path: Path) -> None:
    assert not opens(b"")
    assert not opens(b"\xff\xd8\xff")
    assert not opens(tmp_path / "nothing.jpg")
