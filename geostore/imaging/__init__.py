"""Photos as bytes and pixels, and the removal of all that a file says beside its pixels."""

from geostore.imaging.decoded import DecodedPhotos
from geostore.imaging.metadata import strip_metadata
from geostore.imaging.photos import (
    MAX_PIXELS,
    MIN_SIDE,
    crop,
    decode,
    encode,
    fit_size,
    hash_pixels,
    prepare_photo,
    probe,
    resize,
)

__all__ = [
    "MAX_PIXELS",
    "MIN_SIDE",
    "DecodedPhotos",
    "crop",
    "decode",
    "encode",
    "fit_size",
    "hash_pixels",
    "prepare_photo",
    "probe",
    "resize",
    "strip_metadata",
]
