"""Photos as bytes and as pixels, and files without their metadata."""

from geostore.imaging.decoded import DecodedPhotos
from geostore.imaging.encoding import crop, encode, fit_size, hash_pixels, resize
from geostore.imaging.metadata import strip_metadata
from geostore.imaging.photos import (
    MAX_PIXELS,
    MIN_SIDE,
    OpenedPhoto,
    decode,
    open_photo,
    prepare_photo,
    probe,
)

__all__ = [
    "MAX_PIXELS",
    "MIN_SIDE",
    "DecodedPhotos",
    "OpenedPhoto",
    "crop",
    "decode",
    "encode",
    "fit_size",
    "hash_pixels",
    "open_photo",
    "prepare_photo",
    "probe",
    "resize",
    "strip_metadata",
]
