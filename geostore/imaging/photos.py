"""Turns the bytes of a stored photo into pixels, and into the image that is sent of it.

No image that is sent carries metadata. The same photo and limits give the same
bytes, so what the teacher saw can be derived again and compared by hash. This
holds for one build of Pillow and its codecs; another build may round otherwise.

A photo keeps its RGB colour profile (without text) through every crop and
rotation; pixels are never converted from one profile to another.
"""

from __future__ import annotations

import io
import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from PIL import ExifTags, Image

from geostore.errors import ImageError, MachineError
from geostore.identity import sha256_hex
from geostore.imaging.causes import decoding_error
from geostore.imaging.encoding import encode, fit_size, quiet, rgb_profile
from geostore.imaging.formats import formats_of
from geostore.imaging.metadata import StrippedFile, strip
from geostore.records import ImageLimits, PhotoFacts, SentImage

MAX_PIXELS = 178_956_970
"""Photos with a larger area are refused: this is Pillow's own bound, about 680 MiB of pixels."""

MIN_SIDE = 4
"""Photos with a shorter side, in pixels, are refused: nobody could locate them."""

MAX_ASPECT = 200
"""Photos with a larger ratio of long to short side are refused.

Servers refuse them (Qwen's do: `MAX_RATIO` in qwen-vl-utils), and one such
refusal would stop a whole run.
"""

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


_Part = tuple[float, float, float, float]
"""Left, top, right and bottom of a part of an image, in pixels."""


@dataclass(slots=True)
class OpenedPhoto:
    """A stored photo whose header was read; what is learned of it is learned once.

    Not for several threads at once.
    """

    data: bytes
    """As it is stored."""

    stripped: StrippedFile | None
    """The file without metadata.

    None where its structure is broken or its format is not JPEG, PNG or WebP. Then only
    decoding shows whether it is whole.
    """

    format: str
    """Pillow's name."""

    orientation: int
    """EXIF's, 1 to 8."""

    size: tuple[int, int]
    """Width and height after the orientation is applied."""

    goes_as_it_is: bool
    """Whether it needs no decoding to be sent, where its size needs none."""

    image: Image.Image | None
    """Pillow's image, not loaded yet; None once it was taken to be loaded."""

    full: Image.Image | None = None
    """What `decode` gives, once that is known."""

    _sha256: str | None = None

    @property
    def sha256(self) -> str:
        """Of the stored bytes, in hex."""
        if self._sha256 is None:
            self._sha256 = sha256_hex(self.data)
        return self._sha256

    def facts(self) -> PhotoFacts:
        """The facts of the photo, as `probe` gives them."""
        if self.stripped is None or self.stripped.format == "WEBP":
            self._load()
        width, height = self.size
        if max(width, height) > MAX_ASPECT * min(width, height):
            raise ImageError(f"the photo has {width} x {height} pixels", kind="too_thin")
        # Pillow calls a JPEG with further pictures behind the first MPO; only the first is used.
        name = self.format.replace("MPO", "JPEG")
        return PhotoFacts(sha256=self.sha256, width=width, height=height, format=name)

    def decode(self) -> Image.Image:
        """The photo's pixels, as `imaging.decode` gives them."""
        if self.full is None:
            image, _ = self._load()
            with _decoder_errors():
                self.full = self._upright(_rgb(image))
        return self.full

    def prepare(self, limits: ImageLimits, *, with_pixels: bool = False) -> SentImage:
        """The photo as it is sent, as `prepare_photo` gives it."""
        target = fit_size(*self.size, limits, enlarge_short_side=limits.min_side)
        if self.goes_as_it_is and target == self.size:
            return self._as_it_is()
        stored_target = self.turned(target)
        image, box = self._load(stored_target)
        with _decoder_errors():
            rgb = _rgb(image)
            if self.orientation == 1 and rgb.size == self.size:
                self.full = rgb
            if rgb.size != stored_target:
                rgb = rgb.resize(stored_target, Image.Resampling.LANCZOS, box=box)
            # Turned after the resize, when there are fewer pixels to turn.
            upright = self._upright(rgb)
        return encode(upright, limits, full_size=self.size, with_pixels=with_pixels)

    def turned(self, size: tuple[int, int]) -> tuple[int, int]:
        """A size after the orientation is applied as one before it, or the other way round."""
        return (size[1], size[0]) if self.orientation >= 5 else size

    def _load(self, least: tuple[int, int] | None = None) -> tuple[Image.Image, _Part | None]:
        """The decoded image, at no smaller size than `least` where one is given.

        With it, where it is smaller, the part of it that the photo fills: odd sizes do not
        halve evenly.
        """
        image, self.image = self.image, None
        if image is None:
            image = _read_header(self.data if self.stripped is None else self.stripped.data)
        with _decoder_errors():
            drafted = None if least is None else image.draft(None, least)
            if self.stripped is None:
                with quiet():  # TIFF reads its tags while loading
                    image.load()
            else:
                image.load()
        return image, drafted[1] if drafted else None

    def _upright(self, image: Image.Image) -> Image.Image:
        method = _TRANSPOSES.get(self.orientation)
        return image if method is None else image.transpose(method)

    def _as_it_is(self) -> SentImage:
        assert self.stripped is not None
        data = self.stripped.data
        width, height = self.size
        return SentImage(
            data=data,
            mime=_MIMES[self.stripped.format],
            sha256=self.sha256 if data is self.data else sha256_hex(data),
            width=width,
            height=height,
            full_width=width,
            full_height=height,
        )


def probe(data: bytes) -> PhotoFacts:
    """The facts of a stored photo, after a check that the file is whole.

    A JPEG is walked from end to end, and so is a PNG, with its checksums; neither is
    decoded. Any other format is decoded, because nothing less shows that it is whole.
    Raises ImageError: ``undecodable`` (no image, cut off, damaged),
    ``too_large`` (over `MAX_PIXELS`), ``too_small`` (a side under `MIN_SIDE`),
    ``too_thin`` (one side over `MAX_ASPECT` times the other; the other functions
    accept such a photo, so that one which was sent can be derived again).
    Raises MachineError where there is not enough memory, or the format has no reader here.
    """
    return open_photo(data).facts()


def decode(data: bytes) -> Image.Image:
    """The photo's pixels: RGB, upright, at full resolution; the first frame of several.

    Transparent parts become white. 16 bits a channel become 8 by dropping the low
    ones; other depths are stretched from their darkest to their brightest value.
    CMYK is converted without its profile.
    Raises ImageError as `probe` does, but for ``too_thin``.
    """
    return open_photo(data).decode()


def prepare_photo(data: bytes, limits: ImageLimits, *, with_pixels: bool = False) -> SentImage:
    """The photo as it is sent.

    A JPEG, PNG or WebP of one upright 8-bit frame, grey or RGB, whose size `fit_size`
    keeps is sent as stored, without its metadata. Any other photo is decoded, resized
    and encoded as JPEG. A JPEG of at least twice the size is decoded at a half,
    quarter or eighth (libjpeg scales while it decodes), which takes half the time
    and looks the same.
    with_pixels: hash the pixels too, where they are encoded here.
    Raises ImageError as `decode` does.
    """
    return open_photo(data).prepare(limits, with_pixels=with_pixels)


# --- opening and decoding -----------------------------------------------------------------------


def open_photo(data: bytes) -> OpenedPhoto:
    """Read the header, from a copy without metadata where one can be made.

    Files are most often corrupt in their metadata, which the decoder then never sees.
    Raises ImageError as `decode` does.
    """
    try:
        stripped = strip(data)
    except ImageError:
        # Another format, or a broken file that Pillow may still be able to decode.
        stripped = None
    image = _read_header(data if stripped is None else stripped.data)
    width, height = image.size
    if width * height > MAX_PIXELS:
        raise ImageError(f"the photo has {width} x {height} pixels", kind="too_large")
    if min(width, height) < MIN_SIDE:
        raise ImageError(f"the photo has {width} x {height} pixels", kind="too_small")
    orientation = _foreign_orientation(image) if stripped is None else stripped.orientation
    return OpenedPhoto(
        data=data,
        stripped=stripped,
        format=image.format or "",
        orientation=orientation,
        size=(height, width) if orientation >= 5 else (width, height),
        goes_as_it_is=(
            stripped is not None
            and stripped.plain
            and orientation == 1
            and image.mode in ("L", "RGB")
            and not image.has_transparency_data
        ),
        image=image,
    )


def _read_header(file: bytes) -> Image.Image:
    with _decoder_errors(), quiet():
        return Image.open(io.BytesIO(file), formats=formats_of(file))


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
        with quiet():
            value = image.getexif().get(ExifTags.Base.Orientation, 1)
    except Exception:  # a corrupt block fails in many ways, and must not spoil the photo
        return 1
    return value if value in _TRANSPOSES else 1


def _rgb(image: Image.Image) -> Image.Image:
    """The loaded image as RGB without alpha; `info` keeps only its RGB profile."""
    profile = rgb_profile(image)
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


@contextmanager
def _decoder_errors() -> Iterator[None]:
    """Turn whatever a decoder raises into ImageError, or MachineError where memory lacks."""
    try:
        yield
    except (ImageError, MachineError):
        raise
    except Exception as error:
        raise decoding_error(error) from error
