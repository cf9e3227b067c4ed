"""The table that tells facts about a photo from conditions of the machine."""

from __future__ import annotations

import errno
import os

import pytest
from PIL import Image

from geostore.errors import ImageError, MachineError
from geostore.imaging import decode
from geostore.imaging.causes import ABSENT, NO_SUCH_NAME, cause_of, decoding_error, patiently

NO_NAME = {errno.EISDIR, errno.ENAMETOOLONG}
NOT_THERE = {errno.ENOENT, errno.ENOTDIR, errno.ELOOP}


@pytest.mark.parametrize("number", sorted(errno.errorcode), ids=errno.errorcode.get)
def test_no_error_of_the_system_but_a_name_without_a_file_is_a_fact(number: int) -> None:
    """ESTALE, ENOTCONN, EIO, ENOMEM, EACCES and whatever a system may invent."""
    error = OSError(number, os.strerror(number))
    cause = cause_of(error)
    assert (cause is NO_SUCH_NAME) == (number in NO_NAME)
    assert (cause is ABSENT) == (number in NOT_THERE)
    assert isinstance(decoding_error(error), MachineError)


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (OSError("image file is truncated"), "undecodable"),
        (SyntaxError("not a PNG file"), "undecodable"),
        (Image.DecompressionBombError("too many pixels"), "too_large"),
        (ImageError("thin", kind="too_thin"), "too_thin"),
    ],
)
def test_what_a_decoder_says_of_the_bytes_is_a_fact(error: Exception, kind: str) -> None:
    fact = decoding_error(error)
    assert isinstance(fact, ImageError)
    assert fact.kind == kind


@pytest.mark.parametrize("error", [MemoryError(), OSError("out of memory when reading image file")])
def test_what_a_decoder_says_of_the_memory_is_none(error: Exception) -> None:
    condition = decoding_error(error)
    assert isinstance(condition, MachineError)
    assert (condition.condition, condition.alone) == ("memory", True)


def test_only_what_may_pass_quickly_is_tried_again() -> None:
    """A second at most; the last error is the one that is raised."""
    for number, tries in ((errno.EIO, 4), (errno.EMFILE, 4), (errno.ENOENT, 1), (errno.EACCES, 1)):
        made: list[OSError] = []

        def fail(number: int = number, made: list[OSError] = made) -> None:
            made.append(OSError(number, f"try {len(made) + 1}"))
            raise made[-1]

        with pytest.raises(OSError, match=f"try {tries}"):
            patiently(fail)
        assert len(made) == tries


def test_bytes_that_are_no_image_are_named_alike_each_time() -> None:
    """The reason is stored, so it says nothing of where in memory they were."""
    with pytest.raises(ImageError) as caught:
        decode(b"not an image at all")
    assert str(caught.value) == (
        "the photo cannot be decoded: its bytes are no image of a known format"
    )
