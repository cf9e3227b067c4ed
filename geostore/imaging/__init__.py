"""Photos as bytes and as pixels, and files without their metadata."""

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
