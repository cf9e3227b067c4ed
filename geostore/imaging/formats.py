"""Which formats of photos are read, and what to install where this machine lacks a decoder.

A lack of a decoder is a passing condition of the machine, never a fact about a photo.
"""

from __future__ import annotations

from functools import cache

from PIL import features

from geostore.errors import MachineError
from geostore.imaging.causes import GO_ON

# Pillow reads more formats, but photos do not come in them, and for some it starts a program.
_PILLOWS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "AVIF", "JPEG2000", "PPM")

# The brands that a file names at its begin. Source: ISO/IEC 23008-12 (HEIF), annex B, and AV1
# Image File Format, section 6. `mif1` and `msf1` stand for either.
_HEIC = frozenset({b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs"})
_AVIF = frozenset({b"avif", b"avis"})
_EITHER = frozenset({b"mif1", b"msf1"})


def formats_of(data: bytes) -> tuple[str, ...]:
    """Pillow's names of the formats that a photo can have.

    Raises MachineError, with what to install, where this machine cannot read its format.
    """
    brands = _brands(data)
    if brands & _AVIF:
        if not features.check("avif"):
            raise _lacking("AVIF", "install a Pillow that reads AVIF (pip install -U pillow)")
        return _PILLOWS
    if brands & (_HEIC | _EITHER):
        if not reads_heic():
            raise _lacking("HEIC", "install its reader: pip install 'geostore-distill[heif]'")
        return ("HEIF",)
    return _PILLOWS


def _brands(data: bytes) -> frozenset[bytes]:
    """The brands of a file of boxes; none for any other file."""
    if data[4:8] != b"ftyp":
        return frozenset()
    end = min(int.from_bytes(data[:4], "big"), 256)
    # The word after the first brand is a version.
    return frozenset({data[8:12], *(data[at : at + 4] for at in range(16, end, 4))})


@cache
def reads_heic() -> bool:
    """Whether the package that decodes HEIC is installed; once it was asked, Pillow uses it."""
    try:
        import pi_heif

        # Where its library cannot be loaded, the package itself can be imported all the same.
        pi_heif.libheif_version()
    except ImportError:
        return False
    # Only the photo itself is used.
    pi_heif.register_heif_opener(thumbnails=False, depth_images=False, aux_images=False)
    return True


def _lacking(name: str, remedy: str) -> MachineError:
    return MachineError(
        f"a photo is {name}, which this installation cannot read; {remedy}, or save it as JPEG, "
        f"{GO_ON}",
        condition="package",
        alone=True,
    )
