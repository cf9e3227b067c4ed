"""Turns the bytes of a stored photo into pixels, and pixels into the image that is sent.

No image that is sent carries metadata. The same photo and limits give the same
bytes, so what the teacher saw can be derived again and compared by hash. This
holds for one build of Pillow and its codecs; another build may round otherwise.

A photo keeps its RGB colour profile (without text) through every crop and
rotation; pixels are never converted from one profile to another.
"""

from __future__ import annotations

import io
import math
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import xxhash
from PIL import ExifTags, Image

from geostore.errors import ImageError
from geostore.identity import sha256_hex
from geostore.imaging.metadata import StrippedFile, clean_profile, strip
from geostore.records import Box, ImageLimits, PhotoFacts, SentImage

MAX_PIXELS = 178_956_970
"""Photos with a larger area are refused: this is Pillow's own bound, about 680 MiB of pixels."""

MIN_SIDE = 4
"""Photos with a shorter side, in pixels, are refused: nobody could locate them."""

MAX_ASPECT = 200
"""Photos with a larger ratio of long to short side are refused.

Servers refuse them (Qwen's do: `MAX_RATIO` in qwen-vl-utils), and one such
refusal would stop a whole run.
"""

_MAX_SENT_SIDE = 65_500
# Pillow reads more formats, but photos do not come in them, and for some it starts a program.
_FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "AVIF", "JPEG2000", "PPM")
_MIMES = {"JPEG": "image/jpeg", "PNG": "image/png", "WEBP": "image/webp"}
_TRANSPOSES = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
# Python's warning filters belong to the whole process; two threads must not change them at once.
_filters_lock = threading.Lock()


@dataclass(frozen=True, slots=True)
class _Opened:
    """A photo whose header was read, but not its pixels."""

    image: Image.Image
    """Pillow's image, not loaded yet."""
    orientation: int
    """EXIF's, 1 to 8."""
    stripped: StrippedFile | None
    """The file without metadata.

    None where its structure is broken or its format is not JPEG, PNG or WebP. Then only
    decoding shows whether it is whole.
    """

    @property
    def size(self) -> tuple[int, int]:
        """Width and height after the orientation is applied."""
        return self.turned(self.image.size)

    def turned(self, size: tuple[int, int]) -> tuple[int, int]:
        return (size[1], size[0]) if self.orientation >= 5 else size


def probe(data: bytes) -> PhotoFacts:
    """The facts of a stored photo, after a check that the file is whole.

    A JPEG is walked from end to end, and so is a PNG, with its checksums; neither is
    decoded. Any other format is decoded, because nothing less shows that it is whole.
    Raises ImageError: ``undecodable`` (no image, cut off, damaged),
    ``too_large`` (over `MAX_PIXELS`), ``too_small`` (a side under `MIN_SIDE`),
    ``too_thin`` (one side over `MAX_ASPECT` times the other; the other functions
    accept such a photo, so that one which was sent can be derived again).
    """
    opened = _open(data)
    if opened.stripped is None or opened.stripped.format == "WEBP":
        _load(opened)
    width, height = opened.size
    if max(width, height) > MAX_ASPECT * min(width, height):
        raise ImageError(f"the photo has {width} x {height} pixels", kind="too_thin")
    return PhotoFacts(
        sha256=sha256_hex(data),
        width=width,
        height=height,
        # Pillow calls a JPEG with further pictures behind the first MPO; only the first is used.
        format=(opened.image.format or "").replace("MPO", "JPEG"),
    )


def decode(data: bytes) -> Image.Image:
    """The photo's pixels: RGB, upright, at full resolution; the first frame of several.

    Transparent parts become white. 16 bits a channel become 8 by dropping the low
    ones; other depths are stretched from their darkest to their brightest value.
    CMYK is converted without its profile.
    Raises ImageError as `probe` does, but for ``too_thin``.
    """
    opened = _open(data)
    _load(opened)
    with _decoder_errors():
        return _upright(opened, _rgb(opened.image))


def prepare_photo(
    data: bytes,
    limits: ImageLimits,
    *,
    keep: Callable[[Image.Image], None] | None = None,
    with_pixels: bool = False,
) -> SentImage:
    """The photo as it is sent.

    A JPEG, PNG or WebP of one upright 8-bit frame, grey or RGB, whose size `fit_size`
    keeps is sent as stored, without its metadata. Any other photo is decoded, resized
    and encoded as JPEG. A JPEG of at least twice the size is decoded at a half,
    quarter or eighth (libjpeg scales while it decodes), which takes half the time
    and looks the same.
    keep: called with the pixels that `decode` gives, where they were decoded anyway.
    with_pixels: hash the pixels too, where they are encoded here.
    Raises ImageError as `decode` does.
    """
    opened = _open(data)
    width, height = opened.size
    target = fit_size(width, height, limits, enlarge_short_side=limits.min_side)
    if target == (width, height) and opened.orientation == 1 and _can_go_as_it_is(opened):
        return _as_it_is(opened, width, height)
    stored_target = opened.turned(target)
    with _decoder_errors():
        drafted = opened.image.draft(None, stored_target)
        # The part of the smaller image that the photo fills: odd sizes do not halve evenly.
        box = drafted[1] if drafted else None
    _load(opened)
    with _decoder_errors():
        rgb = _rgb(opened.image)
        if keep is not None and opened.orientation == 1 and rgb.size == (width, height):
            keep(rgb)
        if rgb.size != stored_target:
            rgb = rgb.resize(stored_target, Image.Resampling.LANCZOS, box=box)
        # Turned after the resize, when there are fewer pixels to turn.
        image = _upright(opened, rgb)
    return encode(image, limits, full_size=(width, height), with_pixels=with_pixels)


def fit_size(
    width: int, height: int, limits: ImageLimits, *, enlarge_short_side: int = 0
) -> tuple[int, int]:
    """The size at which an image of this size is sent.

    Each side is rounded to the factor; if the area is then out of bounds, both
    are scaled, rounding down to get under `max_pixels` and up to reach
    `min_pixels`. enlarge_short_side: first enlarge until the short side has this
    many pixels, within `max_pixels` and `max_side`. No side is ever less than the
    factor, whatever the aspect ratio.
    Source: smart_resize of Qwen's image processor (qwen-vl-utils).
    """
    room = math.sqrt(limits.max_pixels / (width * height))
    longest = math.inf if limits.max_side is None else limits.max_side / max(width, height)
    scale = min(max(1.0, min(enlarge_short_side / min(width, height), room)), longest)
    if scale != 1:
        width, height = (max(1, round(side * scale)) for side in (width, height))
    factor = limits.factor
    fitted = [max(factor, round(side / factor) * factor) for side in (width, height)]
    area = fitted[0] * fitted[1]
    # Divide and multiply in the order of the source. Another order rounds otherwise, and the server
    # would resize the image again.
    if area > limits.max_pixels:
        scale = math.sqrt(width * height / limits.max_pixels)
        fitted = [max(factor, math.floor(s / scale / factor) * factor) for s in (width, height)]
    elif area < limits.min_pixels:
        scale = math.sqrt(limits.min_pixels / (width * height))
        fitted = [math.ceil(s * scale / factor) * factor for s in (width, height)]
    if fitted[0] * fitted[1] > limits.max_pixels:
        # The short side of a very thin image cannot go below the factor, or the bounds are so close
        # that rounding up went past them. So shorten the long side.
        most = max(factor, limits.max_pixels // min(fitted) // factor * factor)
        fitted = [min(side, most) for side in fitted]
    # libjpeg cannot write a longer side than _MAX_SENT_SIDE.
    largest = max(factor, min(_MAX_SENT_SIDE, limits.max_side or _MAX_SENT_SIDE) // factor * factor)
    return min(fitted[0], largest), min(fitted[1], largest)


def resize(image: Image.Image, size: tuple[int, int]) -> Image.Image:
    """The image at this size; the same object where it has this size already."""
    return image if image.size == size else image.resize(size, Image.Resampling.LANCZOS)


def crop(image: Image.Image, box: Box) -> Image.Image:
    """The pixels inside `box`. Raises ImageError where it is not inside the image."""
    left, top, right, bottom = box
    if not (0 <= left < right <= image.width and 0 <= top < bottom <= image.height):
        raise ImageError(
            f"box {box} is not inside an image of {image.width} x {image.height} pixels",
            kind="missing",
        )
    with _quiet():  # Pillow warns about large crops as it does about large files
        return image.crop(box)


def encode(
    image: Image.Image,
    limits: ImageLimits,
    *,
    full_size: tuple[int, int],
    with_pixels: bool = False,
) -> SentImage:
    """The image as a JPEG without metadata, at the size it has.

    Baseline, 4:2:0, standard Huffman tables: optimised tables save 2 % of the bytes
    and take 2.7 times as long.
    full_size: width and height before it was resized to be sent.
    with_pixels: hash the pixels too.
    """
    rgb = image if image.mode == "RGB" else image.convert("RGB")
    buffer = io.BytesIO()
    rgb.save(
        buffer,
        "JPEG",
        quality=limits.quality,
        subsampling="4:2:0",
        icc_profile=_rgb_profile(rgb),
        comment="",  # otherwise Pillow copies the comment of the file it read
    )
    data = buffer.getvalue()
    return SentImage(
        data=data,
        mime="image/jpeg",
        sha256=sha256_hex(data),
        width=image.width,
        height=image.height,
        full_width=full_size[0],
        full_height=full_size[1],
        pixels_xxh128=hash_pixels(rgb) if with_pixels else None,
    )


def hash_pixels(image: Image.Image) -> str:
    """XXH3 of 128 bits, in hex, of an RGB image's pixels before they are encoded.

    The hash covers ``RGB <width>x<height>`` and a line feed in ASCII, then the pixels
    from the top row down, three bytes each; it does not cover the colour profile.
    Where two builds of Pillow give the same hash, they decode, cut and resize alike,
    so if the encoded bytes differ, only the JPEG encoder differs.
    """
    # It tells builds apart and need not withstand a forger, who would have to forge the sha256 of
    # the bytes first. So it is a fast hash, which takes a thirtieth of the time of sha256.
    digest = xxhash.xxh3_128(f"RGB {image.width}x{image.height}\n".encode("ascii"))
    digest.update(image.tobytes())
    return digest.hexdigest()


# --- opening and decoding -----------------------------------------------------------------------


def _open(data: bytes) -> _Opened:
    """Read the header, from a copy without metadata where one can be made.

    Files are most often corrupt in their metadata, which the decoder then never sees.
    Raises ImageError as `decode` does.
    """
    try:
        stripped = strip(data)
    except ImageError:
        # Another format, or a broken file that Pillow may still be able to decode.
        stripped = None
    source = data if stripped is None else stripped.data
    with _decoder_errors(), _quiet():
        image = Image.open(io.BytesIO(source), formats=_FORMATS)
    width, height = image.size
    if width * height > MAX_PIXELS:
        raise ImageError(f"the photo has {width} x {height} pixels", kind="too_large")
    if min(width, height) < MIN_SIDE:
        raise ImageError(f"the photo has {width} x {height} pixels", kind="too_small")
    orientation = _foreign_orientation(image) if stripped is None else stripped.orientation
    return _Opened(image, orientation, stripped)


def _foreign_orientation(image: Image.Image) -> int:
    """The orientation that Pillow reads, for a file whose metadata could not be removed.

    Raises ImageError where Pillow needs the pixels for it and cannot decode them.
    """
    if image.format == "TIFF":
        return 1  # Pillow turns it while loading
    if image.format == "PNG":
        # Pillow loads a PNG to read its EXIF. A damaged picture must fail here, because a second
        # load would succeed and give black pixels.
        with _decoder_errors():
            image.load()
    try:
        with _quiet():
            value = image.getexif().get(ExifTags.Base.Orientation, 1)
    except Exception:  # a corrupt block fails in many ways, and must not spoil the photo
        return 1
    return value if value in _TRANSPOSES else 1


def _load(opened: _Opened) -> None:
    """Decode the pixels in place."""
    with _decoder_errors():
        if opened.stripped is None:
            with _quiet():  # TIFF reads its tags while loading
                opened.image.load()
        else:
            opened.image.load()


def _rgb(image: Image.Image) -> Image.Image:
    """The loaded image as RGB without alpha; `info` keeps only its RGB profile."""
    profile = _rgb_profile(image)
    if image.mode == "RGB" and "transparency" not in image.info:
        rgb = image
    elif image.mode.startswith("I;16"):
        # Through 32 bits, because there `point` can scale by a factor. A grey value that stands
        # for transparent is ignored: Pillow would compare it after reducing to 8 bits.
        wide = image.convert("I").point(lambda value: value * (1 / 256) + 0)
        rgb = wide.convert("L").convert("RGB")
    elif image.has_transparency_data:
        with_alpha = image.convert("RGBA")
        rgb = Image.new("RGB", image.size, "white")
        rgb.paste(with_alpha, mask=with_alpha.getchannel("A"))
    elif image.mode in ("I", "F"):
        rgb = _stretched(image).convert("RGB")
    else:
        rgb = image.convert("RGB")
    rgb.info = {} if profile is None else {"icc_profile": profile}
    return rgb


def _stretched(image: Image.Image) -> Image.Image:
    darkest, brightest = (float(value) for value in image.getextrema()[:2])  # type: ignore[arg-type]
    if not (math.isfinite(darkest) and math.isfinite(brightest)):
        raise ImageError("the photo holds values that are not finite", kind="undecodable")
    scale = 255 / (brightest - darkest) if brightest > darkest else 0.0
    offset = -darkest * scale
    return image.convert("F").point(lambda value: value * scale + offset).convert("L")


def _rgb_profile(image: Image.Image) -> bytes | None:
    """The image's colour profile, cleaned, if it is one for RGB pixels."""
    profile = image.info.get("icc_profile")
    if not isinstance(profile, bytes) or profile[16:20] != b"RGB ":
        return None
    return clean_profile(profile)


def _upright(opened: _Opened, image: Image.Image) -> Image.Image:
    method = _TRANSPOSES.get(opened.orientation)
    return image if method is None else image.transpose(method)


def _can_go_as_it_is(opened: _Opened) -> bool:
    return (
        opened.stripped is not None
        and opened.stripped.plain
        and opened.image.mode in ("L", "RGB")
        and not opened.image.has_transparency_data
    )


def _as_it_is(opened: _Opened, width: int, height: int) -> SentImage:
    assert opened.stripped is not None
    data = opened.stripped.data
    return SentImage(
        data=data,
        mime=_MIMES[opened.stripped.format],
        sha256=sha256_hex(data),
        width=width,
        height=height,
        full_width=width,
        full_height=height,
    )


@contextmanager
def _quiet() -> Iterator[None]:
    """Hide Pillow's warnings about large files and corrupt tags."""
    with _filters_lock, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


@contextmanager
def _decoder_errors() -> Iterator[None]:
    """Turn whatever a decoder raises into ImageError."""
    try:
        yield
    except ImageError:
        raise
    except (Image.DecompressionBombError, MemoryError) as error:
        raise ImageError(f"the photo is too large to decode: {error}", kind="too_large") from error
    except Exception as error:
        # Decoders fed broken bytes raise OSError, SyntaxError, ValueError, struct.error and more.
        raise ImageError(f"the photo cannot be decoded: {error}", kind="undecodable") from error
