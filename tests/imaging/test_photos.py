"""Photo bytes to pixels and back to bytes: upright, whole, deterministic, without a place."""

from __future__ import annotations

import contextlib
import io
import itertools
import math
import struct
import threading
import warnings
import zlib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
import xxhash
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from PIL import ExifTags, Image, ImageChops, ImageCms, ImageStat

from geostore.errors import ImageError
from geostore.identity import sha256_hex
from geostore.imaging import (
    DecodedPhotos,
    crop,
    decode,
    encode,
    fit_size,
    hash_pixels,
    open_photo,
    photos,
    prepare_photo,
    probe,
    resize,
)
from geostore.imaging.metadata import strip_metadata
from geostore.records import ImageLimits, SentImage
from tests.image_samples import (
    BLUE,
    RED,
    SEEN,
    WHITE,
    corners,
    png,
    quarters,
    rgb_at,
    saved,
    with_orientation,
)

PHOTOS = Path(__file__).parents[3] / "shared" / "data" / "photos"
ANY_SIZE = ImageLimits(min_pixels=1, min_side=1)


def mean_difference(one: Image.Image, other: Image.Image) -> float:
    return sum(ImageStat.Stat(ImageChops.difference(one, other)).mean) / 3


def opened(data: bytes) -> Image.Image:
    image = Image.open(io.BytesIO(data))
    image.load()
    return image


class TestOrientation:
    @pytest.mark.parametrize("orientation", SEEN)
    @pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "TIFF", "AVIF"])
    def test_pixels_land_where_a_viewer_shows_them(self, format: str, orientation: int) -> None:
        """Facts, pixels and what is sent agree on which way is up."""
        data = with_orientation(quarters(), format, orientation)
        size = (64, 32) if orientation <= 4 else (32, 64)
        facts = probe(data)
        assert (facts.width, facts.height, facts.format) == (*size, format)
        image = decode(data)
        assert image.size == size
        assert corners(image) == SEEN[orientation]
        sent = prepare_photo(data, ANY_SIZE)
        assert (sent.width, sent.height) == (sent.full_width, sent.full_height) == size
        assert corners(opened(sent.data).convert("RGB")) == SEEN[orientation]
        assert not dict(opened(sent.data).getexif())

    @pytest.mark.parametrize("orientation", SEEN)
    def test_a_reduced_photo_stands_the_same_way(self, orientation: int) -> None:
        """Decoding at a smaller scale and turning last must not swap the sides."""
        data = with_orientation(quarters((801, 403)), "JPEG", orientation)
        sent = prepare_photo(data, ImageLimits(min_pixels=1, max_pixels=10_000))
        assert (sent.width > sent.height) == (orientation <= 4)
        assert corners(opened(sent.data)) == SEEN[orientation]
        assert corners(decode(data)) == SEEN[orientation]

    def test_a_corrupt_exif_block_neither_fails_nor_warns(self) -> None:
        plain = saved(quarters(), "JPEG")
        for body in (b"", b"II*\0\xff\xff\xff\xff", b"MM\0*\0\0\0\x08\0\x05\x01\x12\0\x03"):
            block = b"Exif\0\0" + body
            segment = b"\xff\xe1" + struct.pack(">H", len(block) + 2) + block
            data = plain[:2] + segment + plain[2:]
            assert probe(data).width == 64
            assert corners(decode(data)) == SEEN[1]


class TestRefusals:
    @pytest.mark.parametrize("data", [b"", b"no image", b"\xff\xd8\xff", b"GIF89a", b"\0" * 5000])
    def test_what_is_no_image_is_undecodable(self, data: bytes) -> None:
        for read in (probe, decode, lambda data: prepare_photo(data, ANY_SIZE)):
            with pytest.raises(ImageError) as caught:
                read(data)
            assert caught.value.kind == "undecodable"

    @pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "TIFF", "AVIF", "BMP"])
    @pytest.mark.parametrize("part", [0.1, 0.5, 0.9])
    def test_a_file_that_was_cut_off_is_undecodable(self, format: str, part: float) -> None:
        """Not only the header is looked at, though the pixels mostly are not decoded."""
        image = Image.effect_noise((128, 128), 60).convert("RGB")
        data = saved(image, format)
        assert probe(data).format == format
        with pytest.raises(ImageError) as caught:
            probe(data[: int(len(data) * part)])
        assert caught.value.kind == "undecodable"

    @pytest.mark.parametrize("at", [20, 60, 100])
    def test_a_png_whose_pixels_are_damaged_is_undecodable_and_not_black(self, at: int) -> None:
        """Pillow loads a PNG to read its EXIF; after a load that failed, the next says nothing."""
        data = bytearray(saved(quarters((160, 120)), "PNG"))
        data[data.index(b"IDAT") + at] ^= 0x55
        for read in (probe, decode, lambda data: prepare_photo(data, ANY_SIZE)):
            with pytest.raises(ImageError) as caught:
                read(bytes(data))
            assert caught.value.kind == "undecodable"

    def test_a_progressive_jpeg_without_its_last_scans_is_undecodable(self) -> None:
        data = saved(quarters((256, 256)), "JPEG", progressive=True)
        cut = data.rindex(b"\xff\xda")
        with pytest.raises(ImageError, match="truncated"):
            probe(data[:cut])

    @pytest.mark.parametrize("size", [(1, 1), (3, 100), (100, 3)])
    @pytest.mark.parametrize("format", ["JPEG", "PNG"])
    def test_a_side_under_four_pixels_is_too_small(
        self, format: str, size: tuple[int, int]
    ) -> None:
        with pytest.raises(ImageError) as caught:
            probe(saved(Image.new("RGB", size), format))
        assert caught.value.kind == "too_small"

    def test_a_photo_thinner_than_servers_take_is_refused_when_it_is_drawn(self) -> None:
        """And still decoded where it was sent before, so that what was sent can be derived."""
        thin = saved(Image.new("RGB", (2001, 10)), "PNG")
        with pytest.raises(ImageError) as caught:
            probe(thin)
        assert caught.value.kind == "too_thin"
        assert decode(thin).size == (2001, 10)
        assert probe(saved(Image.new("RGB", (2000, 10)), "PNG")).width == 2000

    def test_a_bomb_is_too_large_and_is_not_decoded(self) -> None:
        """20,000 x 20,000 pixels in a few bytes: refused by its header."""
        data = png(0, 1, b"", (20_000, 20_000), zlib.compress(b"\0" * 1000))
        for read in (probe, decode):
            with pytest.raises(ImageError) as caught:
                read(data)
            assert caught.value.kind == "too_large"

    def test_a_photo_that_pillow_only_warns_of_is_taken_without_a_warning(self) -> None:
        """Between Pillow's two bounds; warnings are errors in this suite."""
        data = png(0, 1, bytes(1375), (11_000, 9000))
        assert probe(data).width * probe(data).height == 99_000_000

    def test_the_callers_warning_filters_are_as_they_were(self) -> None:
        before = list(warnings.filters)
        threads = [
            threading.Thread(target=lambda: [decode(saved(quarters(), "TIFF")) for _ in range(20)])
            for _ in range(4)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert list(warnings.filters) == before

    @settings(deadline=None)
    @given(st.binary(max_size=300), st.sampled_from(["JPEG", "PNG", "WEBP", "GIF", "TIFF"]))
    def test_damage_gives_an_image_or_an_image_error(self, damage: bytes, format: str) -> None:
        data = saved(quarters(), format)
        at = len(damage) * 7 % len(data)
        damaged = data[:at] + damage + data[at + len(damage) // 2 :]
        with pytest.MonkeyPatch.context() as patch:
            # A size that damage made up should not cost the test seconds.
            patch.setattr(photos, "MAX_PIXELS", 1_000_000)
            for read in (probe, decode, lambda data: prepare_photo(data, ANY_SIZE)):
                with contextlib.suppress(ImageError):
                    read(damaged)


class TestModes:
    @pytest.mark.parametrize("mode", ["L", "RGB", "CMYK"])
    def test_jpeg_modes(self, mode: str) -> None:
        image = decode(saved(quarters().convert(mode), "JPEG", quality=95))
        assert image.mode == "RGB"
        assert mode == "L" or corners(image) == SEEN[1]

    @pytest.mark.parametrize("format", ["GIF", "PNG", "BMP"])
    def test_palettes(self, format: str) -> None:
        assert corners(decode(saved(quarters().convert("P"), format))) == SEEN[1]

    @pytest.mark.parametrize("mode", ["RGBA", "LA"])
    def test_what_is_transparent_is_white(self, mode: str) -> None:
        """Hidden colours under full transparency must not show, as they would by dropping alpha."""
        image = Image.new("RGBA", (16, 16), (10, 20, 30, 0))
        image.paste((0, 0, 0, 255), (8, 0, 16, 16))
        data = saved(image.convert(mode), "PNG")
        assert decode(data).getpixel((2, 2)) == WHITE
        assert decode(data).getpixel((12, 8)) == (0, 0, 0)
        assert prepare_photo(data, ANY_SIZE).mime == "image/jpeg"

    def test_a_single_transparent_colour_is_white(self) -> None:
        palette = Image.new("RGB", (8, 8), RED).convert("P", palette=Image.Palette.ADAPTIVE)
        for image in (Image.new("L", (8, 8), 7), Image.new("RGB", (8, 8), (7, 7, 7)), palette):
            data = saved(image, "PNG", transparency=image.getpixel((0, 0)))
            assert decode(data).getpixel((0, 0)) == WHITE
            assert prepare_photo(data, ANY_SIZE).mime == "image/jpeg"

    def test_sixteen_bits_become_eight_by_dropping_the_low_ones(self) -> None:
        grey = png(0, 16, struct.pack(">HHHH", 0, 0x7FFF, 0x8000, 0xFFFF), (4, 4))
        assert [rgb_at(decode(grey), (x, 0))[0] for x in range(4)] == [0, 127, 128, 255]
        colour = png(2, 16, struct.pack(">HHH", 0x1234, 0x5678, 0x9ABC) * 4, (4, 4))
        assert decode(colour).getpixel((0, 0)) == (0x12, 0x56, 0x9A)
        # Of the size that could go as it is: not every teacher's server reads 16 bits.
        assert prepare_photo(colour, ANY_SIZE).mime == "image/jpeg"

    @pytest.mark.parametrize("mode", ["I", "F"])
    def test_other_depths_are_stretched(self, mode: str) -> None:
        ramp = Image.linear_gradient("L").resize((16, 16)).convert(mode).point(lambda v: v * 90 + 5)
        extrema = decode(saved(ramp, "TIFF")).convert("L").getextrema()
        assert extrema == (0, 255)

    @pytest.mark.parametrize("format", ["GIF", "PNG", "WEBP", "TIFF"])
    def test_the_first_frame_of_several_is_taken(self, format: str) -> None:
        later = [Image.new("RGB", (64, 32), BLUE)]
        data = saved(quarters(), format, save_all=True, append_images=later)
        assert corners(decode(data)) == SEEN[1]
        assert corners(opened(prepare_photo(data, ANY_SIZE).data).convert("RGB")) == SEEN[1]

    def test_a_multi_picture_jpeg_is_a_jpeg(self) -> None:
        data = saved(quarters(), "MPO", save_all=True, append_images=[Image.new("RGB", (64, 32))])
        assert probe(data).format == "JPEG"
        sent = prepare_photo(data, ANY_SIZE)
        assert opened(sent.data).format == "JPEG"
        assert len(sent.data) < len(data)


class TestFitSize:
    LIMITS = ImageLimits(factor=28, min_pixels=56 * 56, max_pixels=1280 * 28 * 28)

    @pytest.mark.parametrize(
        ("size", "expected"),
        [
            # By Qwen's smart_resize with the same bounds.
            ((1024, 768), (1036, 756)),
            ((3264, 2448), (1148, 840)),
            ((2048, 1536), (1148, 840)),
            ((640, 480), (644, 476)),
            ((20, 20), (56, 56)),
            ((100, 30), (112, 28)),
            ((90, 30), (112, 56)),
            ((56, 56), (56, 56)),
        ],
    )
    def test_it_is_qwens_rule(self, size: tuple[int, int], expected: tuple[int, int]) -> None:
        assert fit_size(*size, self.LIMITS) == expected

    @given(st.integers(28, 6000), st.integers(28, 6000), st.sampled_from([28, 32]))
    def test_it_agrees_with_the_published_code(self, width: int, height: int, factor: int) -> None:
        """To the last rounding: else boxes in pixels are off by what the server resized."""
        assume(max(width, height) < 50 * min(width, height))  # it refuses over 200
        limits = ImageLimits(factor=factor)
        h_bar = max(factor, round(height / factor) * factor)
        w_bar = max(factor, round(width / factor) * factor)
        if h_bar * w_bar > limits.max_pixels:
            beta = math.sqrt((height * width) / limits.max_pixels)
            h_bar = max(factor, math.floor(height / beta / factor) * factor)
            w_bar = max(factor, math.floor(width / beta / factor) * factor)
        elif h_bar * w_bar < limits.min_pixels:
            beta = math.sqrt(limits.min_pixels / (height * width))
            h_bar = math.ceil(height * beta / factor) * factor
            w_bar = math.ceil(width * beta / factor) * factor
        assert fit_size(width, height, limits) == (w_bar, h_bar)
        # The server finds nothing left to do.
        assert fit_size(w_bar, h_bar, limits) == (w_bar, h_bar)

    @given(
        st.integers(4, 20_000),
        st.integers(4, 20_000),
        st.sampled_from([1, 28, 32]),
        st.integers(0, 600),
        st.integers(4, 1600),
    )
    def test_every_size_is_within_bounds(
        self, width: int, height: int, factor: int, enlarge: int, units: int
    ) -> None:
        """Multiples of the factor, never 0, never over the area; at least it where possible."""
        limits = ImageLimits(factor=factor, max_pixels=max(3136, units * 1024))
        fitted = fit_size(width, height, limits, enlarge_short_side=enlarge)
        assert all(side >= factor and side % factor == 0 for side in fitted)
        assert fitted[0] * fitted[1] <= limits.max_pixels
        assert (fitted[0] >= fitted[1]) == (width >= height) or abs(fitted[0] - fitted[1]) <= factor

    @given(st.integers(1, 3000), st.integers(1, 3000))
    def test_without_a_factor_a_size_within_bounds_is_kept(self, width: int, height: int) -> None:
        limits = ImageLimits(min_pixels=1, max_pixels=3000 * 3000)
        assert fit_size(width, height, limits) == (width, height)

    def test_enlarging_stops_at_the_chosen_side_or_the_area(self) -> None:
        limits = ImageLimits(max_pixels=1_000_000)
        assert fit_size(100, 50, limits, enlarge_short_side=448) == (896, 448)
        width, height = fit_size(1000, 50, limits, enlarge_short_side=448)
        assert width * height <= 1_000_000
        assert width * height > 950_000
        assert fit_size(900, 800, limits, enlarge_short_side=448) == (900, 800)

    @given(
        st.integers(4, 20_000),
        st.integers(4, 20_000),
        st.integers(200, 2048),
        st.integers(0, 600),
        st.sampled_from([1, 28]),
    )
    def test_no_side_is_longer_than_the_longest_that_is_allowed(
        self, width: int, height: int, longest: int, enlarge: int, factor: int
    ) -> None:
        """Else the server would reduce it, and boxes in its pixels would mean others here."""
        limits = ImageLimits(factor=factor, max_side=longest, min_pixels=1)
        fitted = fit_size(width, height, limits, enlarge_short_side=enlarge)
        assert max(fitted) <= longest
        assert all(side >= factor and side % factor == 0 for side in fitted)
        if factor == 1 and min(fitted) > 8:  # the shape stays, as far as whole pixels let it
            assert abs(math.log(fitted[0] / fitted[1] / (width / height))) < 0.13
        within = replace(limits, max_side=None)
        if max(fit_size(width, height, within, enlarge_short_side=enlarge)) <= longest // 2:
            assert fitted == fit_size(width, height, within, enlarge_short_side=enlarge)

    def test_the_thinnest_images_fit_what_a_jpeg_can_hold(self) -> None:
        width, height = fit_size(1_000_000, 4, ImageLimits())
        assert (width <= 65_500, height >= 1) == (True, True)
        encode(Image.new("RGB", (width, height)), ImageLimits(), full_size=(1_000_000, 4))


class TestPreparing:
    @pytest.mark.parametrize(
        ("format", "mime"),
        [("JPEG", "image/jpeg"), ("PNG", "image/png"), ("WEBP", "image/webp")],
    )
    def test_a_photo_that_fits_goes_as_it_is_stored(self, format: str, mime: str) -> None:
        """No second loss by encoding again: the bytes are the stored ones without metadata."""
        data = with_orientation(quarters(), format, 1)
        sent = prepare_photo(data, ANY_SIZE)
        assert (sent.mime, sent.data) == (mime, strip_metadata(data))
        assert sent.sha256 == sha256_hex(sent.data)
        assert (sent.full_width, sent.full_height) == (64, 32)

    @pytest.mark.parametrize("limits", [ImageLimits(factor=28), ImageLimits(max_pixels=4000)])
    def test_a_photo_that_does_not_fit_is_resized(self, limits: ImageLimits) -> None:
        sent = prepare_photo(saved(quarters((200, 100)), "PNG"), limits)
        assert sent.mime == "image/jpeg"
        assert (sent.width, sent.height) == fit_size(200, 100, limits)
        assert opened(sent.data).size == (sent.width, sent.height)
        assert (sent.full_width, sent.full_height) == (200, 100)

    def test_a_photo_thinner_than_a_model_takes_is_enlarged(self) -> None:
        sent = prepare_photo(saved(quarters((400, 8)), "PNG"), ImageLimits(min_side=32))
        assert (sent.width, sent.height) == (1600, 32)

    def test_the_same_photo_gives_the_same_bytes(self) -> None:
        for limits in (ANY_SIZE, ImageLimits(max_pixels=4000)):
            data = saved(quarters((200, 100)), "JPEG")
            assert prepare_photo(data, limits) == prepare_photo(data, limits)

    def test_decoding_at_a_smaller_scale_looks_the_same(self) -> None:
        """The shortcut for large JPEGs against the long way round."""
        soft = Image.radial_gradient("L").resize((1001, 777), Image.Resampling.BICUBIC)
        photo = Image.merge("RGB", (soft, soft.rotate(180), soft.rotate(90)))
        data = saved(photo, "JPEG", quality=95)
        sent = prepare_photo(data, ImageLimits(max_pixels=40_000, quality=95))
        long_way = resize(decode(data), (sent.width, sent.height))
        assert mean_difference(opened(sent.data), long_way) < 2

    def test_decoding_at_a_smaller_scale_shifts_nothing(self) -> None:
        """65 pixels at an eighth are 9, of which the last is mostly padding."""
        ramp = Image.linear_gradient("L").rotate(90).resize((65, 65)).convert("RGB")
        sent = prepare_photo(
            saved(ramp, "JPEG", quality=95), ImageLimits(min_pixels=1, max_pixels=64, min_side=1)
        )
        assert (sent.width, sent.height) == (8, 8)
        row = [rgb_at(opened(sent.data).convert("RGB"), (x, 4))[1] for x in range(8)]
        expected = [255 * (x + 0.5) / 8 for x in range(8)]
        assert all(abs(a - b) < 8 for a, b in zip(row, expected, strict=True)), row

    def test_an_image_that_brings_a_comment_is_encoded_without_it(self) -> None:
        image = quarters()
        image.info = {"comment": b"52.516275N", "exif": b"Exif\0\x0052.516275N", "xmp": b"52.5"}
        assert b"52.5" not in encode(image, ANY_SIZE, full_size=image.size).data

    def test_the_hash_of_the_pixels_is_theirs_whatever_the_encoder_makes_of_them(self) -> None:
        """By its definition: a line with mode and size, then the bytes of each pixel in turn."""
        image = quarters((40, 20))
        found = [
            encode(image, replace(ANY_SIZE, quality=q), full_size=image.size, with_pixels=True)
            for q in (50, 90)
        ]
        assert found[0].sha256 != found[1].sha256
        pixels = b"".join(bytes(rgb_at(image, (x, y))) for y in range(20) for x in range(40))
        expected = xxhash.xxh3_128(b"RGB 40x20\n" + pixels).hexdigest()
        assert {sent.pixels_xxh128 for sent in found} == {expected}
        assert hash_pixels(image.transpose(Image.Transpose.ROTATE_90)) != expected

    def test_a_file_that_goes_as_it_is_has_no_pixels_to_be_encoded(self) -> None:
        data = saved(quarters((200, 100)), "JPEG")
        assert prepare_photo(data, ANY_SIZE, with_pixels=True).pixels_xxh128 is None
        reduced = ImageLimits(max_pixels=4000)
        assert prepare_photo(data, reduced, with_pixels=True).pixels_xxh128 is not None

    def test_no_metadata_of_another_format_is_sent(self) -> None:
        exif = Image.Exif()
        exif[0x010E] = "52.516275N"
        for format, options in (
            ("GIF", {"comment": b"52.516275N"}),
            ("TIFF", {"exif": exif}),
            ("AVIF", {"exif": exif, "xmp": b"52.516275N"}),
        ):
            data = saved(quarters(), format, **options)
            assert b"52.516275N" in data
            sent = prepare_photo(data, ANY_SIZE)
            assert b"52.5" not in sent.data
            assert set(opened(sent.data).info) <= {
                *("jfif", "jfif_version", "jfif_unit", "jfif_density"),
            }

    def test_a_colour_profile_stays_with_the_pixels(self) -> None:
        """Resized or cut, the colours mean what they meant; a CMYK profile describes no RGB."""
        profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
        data = saved(quarters((200, 100)), "JPEG", icc_profile=profile)
        limits = ImageLimits(max_pixels=4000)
        kept = opened(prepare_photo(data, limits).data).info["icc_profile"]
        assert len(kept) == len(profile)
        piece = crop(decode(data), (0, 0, 20, 20))
        assert opened(encode(piece, limits, full_size=piece.size).data).info["icc_profile"] == kept
        other = profile[:16] + b"CMYK" + profile[20:]
        cmyk = saved(quarters((200, 100)).convert("CMYK"), "JPEG", icc_profile=other)
        assert "icc_profile" not in opened(prepare_photo(cmyk, limits).data).info

    def test_a_crop_has_to_lie_inside(self) -> None:
        for box in ((-1, 0, 5, 5), (0, 0, 65, 5), (5, 5, 5, 9), (9, 0, 5, 5)):
            with pytest.raises(ImageError):
                crop(quarters(), box)


def test_real_photos_are_sent_without_their_place() -> None:
    """Camera files under usual limits: as they are where they fit, reduced where not."""
    if not PHOTOS.is_dir():
        pytest.skip(f"no real photos at {PHOTOS}")
    limits = ImageLimits()
    for path in sorted(PHOTOS.glob("*.jpg")):
        data = path.read_bytes()
        facts = probe(data)
        sent = prepare_photo(data, limits)
        assert (sent.full_width, sent.full_height) == (facts.width, facts.height)
        assert (sent.width, sent.height) == fit_size(facts.width, facts.height, limits)
        image = opened(sent.data)
        assert not dict(image.getexif())
        assert not {"exif", "xmp", "photoshop", "comment"} & set(image.info)
        if facts.width == 1024:
            assert sent.data == strip_metadata(data)
        else:
            long_way = resize(decode(data), image.size)
            assert mean_difference(image, long_way) < 3


class TestDecodedPhotos:
    """Pixels are kept within a bound, and given up when a trace is done with them."""

    @staticmethod
    def photo(shade: int) -> bytes:
        out = io.BytesIO()
        Image.new("RGB", (100, 50), (shade, shade, shade)).save(out, "PNG")
        return out.getvalue()

    def test_a_photo_is_decoded_once_until_it_is_forgotten(self) -> None:
        decoded = DecodedPhotos()
        first = decoded.get(self.photo(1))
        assert decoded.get(self.photo(1)) is first
        decoded.forget(self.photo(1))
        again = decoded.get(self.photo(1))
        assert again is not first
        assert again.tobytes() == first.tobytes()

    def test_the_photo_used_longest_ago_makes_room(self) -> None:
        decoded = DecodedPhotos(most_bytes=2 * 100 * 50 * 4)
        one, two = decoded.get(self.photo(1)), decoded.get(self.photo(2))
        assert decoded.get(self.photo(1)) is one
        decoded.get(self.photo(3))
        assert decoded.get(self.photo(1)) is one
        assert decoded.get(self.photo(2)) is not two

    @pytest.mark.parametrize("limits", [ImageLimits(max_pixels=20_000), ImageLimits()])
    @pytest.mark.parametrize("size", [(200, 150), (448, 336), (900, 700)])
    @pytest.mark.parametrize("orientation", [1, 3, 6])
    @pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "GIF"])
    def test_what_is_learned_of_a_photo_changes_nothing_of_it(
        self, format: str, orientation: int, size: tuple[int, int], limits: ImageLimits
    ) -> None:
        """In whichever order it is looked at, prepared and decoded, and prepared again."""
        out, exif = io.BytesIO(), Image.Exif()
        exif[ExifTags.Base.Orientation] = orientation
        Image.linear_gradient("L").resize(size).convert("RGB").save(out, format, exif=exif)
        data = out.getvalue()
        expected = (probe(data), prepare_photo(data, limits), decode(data).tobytes())
        for order in itertools.permutations(range(3)):
            opened = open_photo(data)
            for step in (*order, *order):
                steps = (opened.facts, partial(opened.prepare, limits), opened.decode)
                found: object = steps[step]()
                assert (found.tobytes() if isinstance(found, Image.Image) else found) == (
                    expected[step]
                )
        decoded = DecodedPhotos()
        for _ in range(2):
            assert decoded.prepare(data, limits) == expected[1]
            assert decoded.get(data).tobytes() == expected[2]

    def test_several_threads_may_want_one_photo(self) -> None:
        out = io.BytesIO()
        Image.linear_gradient("L").resize((448, 336)).convert("RGB").save(out, "JPEG")
        data, limits, decoded = out.getvalue(), ImageLimits(), DecodedPhotos()
        expected = (prepare_photo(data, limits), decode(data).tobytes())

        def work(_: int) -> tuple[SentImage, bytes]:
            found = decoded.prepare(data, limits), decoded.get(data).tobytes()
            decoded.forget(data)
            return found

        with ThreadPoolExecutor(4) as executor:
            assert set(executor.map(work, range(64))) == {expected}
