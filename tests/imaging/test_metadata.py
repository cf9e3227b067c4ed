"""Metadata goes, the picture stays: planted secrets, real photos, broken files."""

from __future__ import annotations

import contextlib
import io
import struct
import warnings
import zlib
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageCms

from geostore.errors import ImageError
from geostore.imaging.metadata import clean_profile, exif_orientation, strip, strip_metadata
from tests.examples import examples
from tests.image_samples import chunk, saved, segment

SECRET = b"52.516275N-13.377704E"
XMP = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><exif:GPSLatitude>' + SECRET + b"</exif:GPSLatitude>"
PHOTOS = Path(__file__).parents[3] / "shared" / "data" / "photos"


def picture(mode: str = "RGB", size: tuple[int, int] = (64, 48)) -> Image.Image:
    gradient = Image.linear_gradient("L").resize(size)
    bands = (gradient, gradient.rotate(180), gradient.transpose(Image.Transpose.FLIP_TOP_BOTTOM))
    rgb = Image.merge("RGB", bands)
    return rgb if mode == "RGB" else rgb.convert(mode)


def exif_with_gps(orientation: int = 1) -> bytes:
    exif = Image.Exif()
    exif[0x0112] = orientation
    exif[0x010E] = SECRET.decode()  # ImageDescription
    exif.get_ifd(0x8825).update({1: "N", 2: (52.0, 30.0, 58.0), 3: "E", 4: (13.0, 22.0, 39.0)})
    return exif.tobytes()


def profile_with_secret() -> bytes:
    """An sRGB profile whose copyright text is long enough to hide a place in."""
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    at = profile.index("No copyright".encode("utf-16-be"))
    return profile[:at] + SECRET[:24] + profile[at + len(SECRET[:24]) :]


def pixels(data: bytes) -> tuple[str, tuple[int, int], bytes]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of Pillow's about the planted multi-picture index
        image = Image.open(io.BytesIO(data))
    with image:
        return image.mode, image.size, image.tobytes()


def jpeg_full_of_secrets(mode: str = "RGB", **options: object) -> bytes:
    """A JPEG with a place in every corner that holds no picture."""
    plain = saved(
        picture(mode),
        "JPEG",
        exif=exif_with_gps(),
        comment=SECRET,
        icc_profile=profile_with_secret() if mode == "RGB" else None,
        **options,
    )
    planted = [
        segment(0xE0, b"JFXX\0\x10" + SECRET),
        segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0" + XMP),
        segment(0xE2, b"MPF\0" + SECRET),
        segment(0xED, b"Photoshop 3.0\x008BIM\x04\x04\0\0" + struct.pack(">I", 26) + SECRET),
        segment(0xEB, SECRET),
        segment(0xFE, SECRET),
    ]
    # After the first segment, which has to be JFIF's; a second picture and a video's end follow.
    first = 4 + struct.unpack(">H", plain[4:6])[0]
    return plain[:first] + b"".join(planted) + plain[first:] + plain + b"ftypmp42" + SECRET


def png_full_of_secrets(mode: str = "RGB", **options: object) -> bytes:
    plain = saved(picture(mode), "PNG", exif=exif_with_gps(6), **options)
    planted = [
        chunk(b"tEXt", b"Comment\0" + SECRET),
        chunk(b"zTXt", b"Comment\0\0" + zlib.compress(SECRET, 0)),
        chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + XMP),
        chunk(b"tIME", b"\x07\xe8\x01\x01\x01\x01\x01"),
        chunk(b"prVt", SECRET),
        chunk(b"iCCP", SECRET + b"\0\0" + zlib.compress(profile_with_secret(), 0)),
    ]
    header_end = 8 + 25
    return plain[:header_end] + b"".join(planted) + plain[header_end:] + SECRET


def webp_full_of_secrets(**options: object) -> bytes:
    plain = saved(
        picture(),
        "WEBP",
        exif=exif_with_gps(8),
        xmp=XMP,
        icc_profile=profile_with_secret(),
        **options,
    )
    extra = b"NOTE" + struct.pack("<I", len(SECRET)) + SECRET + b"\0" * (len(SECRET) % 2)
    body = plain[8:] + extra
    return b"RIFF" + struct.pack("<I", len(body)) + body + SECRET


FILES = {
    "jpeg": jpeg_full_of_secrets(),
    "jpeg progressive": jpeg_full_of_secrets(progressive=True),
    "jpeg grey": jpeg_full_of_secrets("L"),
    "jpeg cmyk": jpeg_full_of_secrets("CMYK"),
    "jpeg restarts": jpeg_full_of_secrets(restart_marker_rows=1),
    "png": png_full_of_secrets(),
    "png palette": png_full_of_secrets("P", transparency=3),
    "png alpha": png_full_of_secrets("RGBA"),
    "webp": webp_full_of_secrets(quality=80),
    "webp lossless": webp_full_of_secrets(lossless=True),
}


@pytest.mark.parametrize("name", FILES)
def test_nothing_planted_is_left_and_no_pixel_differs(name: str) -> None:
    """The whole promise of stripping, for every hiding place at once."""
    data = FILES[name]
    assert SECRET[:20] in data
    stripped = strip_metadata(data)
    for trace in (SECRET[:20], b"Exif", b"EXIF", b"eXIf", b"xmpmeta", b"8BIM", b"MPF\0", b"ftyp"):
        assert trace not in stripped
    with Image.open(io.BytesIO(stripped)) as image:
        assert not dict(image.getexif())
        assert not {"exif", "xmp", "comment", "photoshop", "mp"} & set(image.info)
    assert pixels(stripped) == pixels(data)


@pytest.mark.parametrize("name", FILES)
def test_stripping_twice_changes_nothing_more(name: str) -> None:
    once = strip_metadata(FILES[name])
    assert strip_metadata(once) == once


@pytest.mark.parametrize("name", ["jpeg", "png", "webp"])
def test_a_colour_profile_keeps_its_colours_and_loses_its_text(name: str) -> None:
    """Colour management gives the same values with the cleaned profile as with the original."""
    with Image.open(io.BytesIO(strip_metadata(FILES[name]))) as image:
        cleaned = image.info["icc_profile"]
    original = profile_with_secret()
    assert cleaned == clean_profile(original)
    assert len(cleaned) == len(original)
    assert SECRET[:20] not in cleaned
    to_lab = ImageCms.createProfile("LAB")

    def in_lab(profile: bytes) -> bytes:
        opened = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        transform = ImageCms.buildTransform(opened, to_lab, "RGB", "LAB")
        converted = ImageCms.applyTransform(picture(), transform)
        assert converted is not None, "it was not asked to work in place"
        return converted.tobytes()

    assert in_lab(cleaned) == in_lab(original)


def test_a_profile_over_several_segments_is_put_together_in_order() -> None:
    """Profiles over 64 KiB are split; the parts may stand in any order."""
    profile = profile_with_secret()
    halves = [profile[:1000], profile[1000:]]
    parts = [
        segment(0xE2, b"ICC_PROFILE\0" + bytes((number, 2)) + half)
        for number, half in enumerate(halves, start=1)
    ]
    plain = saved(picture(), "JPEG")
    stripped = strip_metadata(plain[:2] + parts[1] + parts[0] + plain[2:])
    with Image.open(io.BytesIO(stripped)) as image:
        assert image.info["icc_profile"] == clean_profile(profile)
    alone = strip_metadata(plain[:2] + parts[1] + plain[2:])
    with Image.open(io.BytesIO(alone)) as image:
        assert "icc_profile" not in image.info


@pytest.mark.parametrize("broken", [b"", b"no profile", b"\0" * 200, b"\xff" * 200])
def test_what_is_no_profile_is_dropped(broken: bytes) -> None:
    assert clean_profile(broken) is None


def test_an_animated_png_keeps_its_still_image() -> None:
    frames = [picture(), picture().rotate(180)]
    data = saved(frames[0], "PNG", save_all=True, append_images=frames[1:])
    assert b"acTL" in data
    stripped = strip_metadata(data)
    assert b"acTL" not in stripped
    assert b"fdAT" not in stripped
    assert pixels(stripped) == pixels(saved(frames[0], "PNG"))


def test_an_animated_webp_keeps_its_frames() -> None:
    frames = [picture(), picture().rotate(180)]
    data = saved(
        frames[0], "WEBP", save_all=True, append_images=frames[1:], exif=exif_with_gps(), xmp=XMP
    )
    stripped = strip(data)
    assert not stripped.plain
    assert SECRET not in stripped.data
    with Image.open(io.BytesIO(data)) as before, Image.open(io.BytesIO(stripped.data)) as after:
        assert getattr(after, "n_frames", 1) == 2
        for frame in range(2):
            before.seek(frame)
            after.seek(frame)
            assert before.tobytes() == after.tobytes()


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP"])
def test_the_orientation_is_read_before_it_is_removed(format: str, orientation: int) -> None:
    data = saved(picture(), format, exif=exif_with_gps(orientation))
    assert strip(data).orientation == orientation


@pytest.mark.parametrize(
    "exif",
    [
        b"",
        b"Exif\0\0",
        b"Exif\0\0II*\0\xff\xff\xff\xff",
        b"Exif\0\0MM\0*\0\0\0\x08\xff\xff",
        b"II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x09\0\0\0",
        b"II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01",
        b"XX*\0\x08\0\0\0",
    ],
)
def test_a_corrupt_exif_block_means_no_orientation(exif: bytes) -> None:
    assert exif_orientation(exif) == 1


@given(st.binary(max_size=200))
def test_any_bytes_give_an_orientation(exif: bytes) -> None:
    assert exif_orientation(b"II*\0" + exif) in range(1, 9)


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("part", [0.02, 0.3, 0.6, 0.95])
def test_a_file_that_ends_early_is_refused(name: str, part: float) -> None:
    """Where the picture itself is cut, stripping must not make a file that looks whole."""
    # A JPEG's planted second picture is cut first; the first one must stay refused when cut.
    data = strip_metadata(FILES[name])
    with pytest.raises(ImageError) as caught:
        strip_metadata(data[: int(len(data) * part)])
    assert caught.value.kind == "undecodable"


@pytest.mark.parametrize(
    "data", [b"", b"GIF89a", b"\xff\xd8\xff", b"\xff\xd8\xff\xd9", b"RIFF\0\0\0\0WEBP", b"RIFF"]
)
def test_what_is_no_photo_file_is_refused(data: bytes) -> None:
    with pytest.raises(ImageError):
        strip_metadata(data)


def test_a_png_with_a_damaged_picture_is_refused() -> None:
    data = bytearray(saved(picture(), "PNG"))
    data[data.index(b"IDAT") + 20] ^= 0xFF
    with pytest.raises(ImageError, match="checksum"):
        strip_metadata(bytes(data))


@settings(max_examples=examples(100), deadline=None)
@given(st.sampled_from(sorted(FILES)), st.integers(0, 2000), st.binary(min_size=1, max_size=8))
def test_a_damaged_file_is_stripped_or_refused(name: str, at: int, damage: bytes) -> None:
    """No damage makes the walk raise anything else or run on for ever."""
    data = FILES[name]
    at %= len(data)
    with contextlib.suppress(ImageError):
        strip_metadata(data[:at] + damage + data[at + len(damage) :])


def test_real_photos_lose_their_place_and_keep_their_pixels() -> None:
    """Camera files as they are: EXIF with GPS, XMP, Photoshop blocks, profiles."""
    if not PHOTOS.is_dir():
        pytest.skip(f"no real photos at {PHOTOS}")
    for path in sorted(PHOTOS.glob("*.jpg")):
        data = path.read_bytes()
        stripped = strip_metadata(data)
        with Image.open(io.BytesIO(data)) as before, Image.open(io.BytesIO(stripped)) as after:
            assert before.getexif().get_ifd(0x8825)
            assert not dict(after.getexif())
            assert set(after.info) <= {
                *("jfif", "jfif_version", "jfif_unit", "jfif_density", "dpi", "icc_profile"),
                *("adobe", "adobe_transform", "progressive", "progression"),
            }
        assert pixels(stripped) == pixels(data)
