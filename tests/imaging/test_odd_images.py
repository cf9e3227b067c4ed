"""Hostile and odd photos through a whole run: each has an outcome, and none stops the run.

The same table stands in docs/tools.md, and a test compares the two.
"""

from __future__ import annotations

import io
import json
import re
import struct
import zlib
from base64 import b64decode
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
from PIL import Image, ImageCms

from geostore.conversation.images import PhotoSource, conversation_images
from geostore.records import Recipe, StoredTrace
from geostore.store import Store
from tests.builders import played_recipe
from tests.conftest import save_dataset
from tests.image_samples import (
    SEEN,
    corners,
    png,
    quarters,
    rgb_at,
    saved,
    segment,
    with_orientation,
)
from tests.minds import zoom_then_answer
from tests.running import Notes, run
from tests.teacher_server import Body, teacher_server

PAGE = Path(__file__).parents[2] / "docs" / "tools.md"
SIZE = (160, 120)


def scene(*, mark: int = 0) -> Image.Image:
    """Four quarters of colour, with a patch that makes it a photo of its own."""
    image = quarters(SIZE)
    image.paste((mark * 7 % 256, mark * 31 % 256, mark * 101 % 256), (70, 50, 90, 70))
    return image


def with_exif(block: bytes, *, mark: int) -> bytes:
    plain = saved(scene(mark=mark), "JPEG", quality=95)
    return plain[:2] + segment(0xE1, b"Exif\0\0" + block) + plain[2:]


def sixteen_bit_grey() -> bytes:
    values = [0x2000] * (SIZE[0] // 2) + [0xE000] * (SIZE[0] // 2)
    return png(0, 16, struct.pack(f">{SIZE[0]}H", *values), SIZE)


def with_alpha() -> bytes:
    """Its transparent half hides blue."""
    image = Image.new("RGBA", SIZE, (0, 0, 255, 0))
    image.paste((255, 0, 0, 255), (80, 0, 160, 120))
    return saved(image, "PNG")


def animated(format: str) -> bytes:
    still = scene(mark=hash_of(format))
    return saved(
        still, format, save_all=True, append_images=[Image.new("RGB", SIZE, "blue")], duration=50
    )


def with_profile(format: str) -> bytes:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    return saved(scene(mark=hash_of(format) + 1), format, icc_profile=profile)


def hash_of(text: str) -> int:
    return zlib.crc32(text.encode()) % 251


def not_all_scans() -> bytes:
    data = saved(scene(), "JPEG", progressive=True)
    return data[: data.rindex(b"\xff\xda")]


BOMB = png(2, 8, b"", (50_000, 50_000), zlib.compress(b"\0" * 5000))
MANY_FRAMES = Image.new("RGB", SIZE, "red")

# How each is called on the page, what it is, and what becomes of it: the words that `samples`
# keeps as the reason of exclusion, or "sent".
REFUSED: dict[str, tuple[Callable[[], bytes], str]] = {
    "no image at all": (lambda: b"no image", "undecodable"),
    "empty": (lambda: b"", "undecodable"),
    "truncated JPEG": (lambda: saved(scene(), "JPEG")[:-700], "undecodable"),
    "truncated PNG": (lambda: saved(scene(), "PNG")[:-40], "undecodable"),
    "truncated WebP": (lambda: saved(scene(), "WEBP")[:-40], "undecodable"),
    "progressive JPEG without its last scan": (not_all_scans, "undecodable"),
    "PNG with damaged pixels": (
        lambda: saved(scene(), "PNG").replace(b"IDAT", b"IDAT\0", 1),
        "undecodable",
    ),
    "decompression bomb": (lambda: BOMB, "too_large"),
    "1 x 1": (lambda: saved(Image.new("RGB", (1, 1)), "PNG"), "too_small"),
    "20000 x 50": (lambda: saved(Image.new("RGB", (20_000, 50)), "PNG"), "too_thin"),
    "SVG": (lambda: b'<svg xmlns="http://www.w3.org/2000/svg"/>', "undecodable"),
    "PDF": (lambda: b"%PDF-1.4\n%%EOF", "undecodable"),
}
UPRIGHT = SEEN[1]
RED_HALF = ["white", "red", "white", "red"]


def orientated(number: int) -> bytes:
    return with_orientation(scene(mark=20 + number), "JPEG", number)


SENT: dict[str, tuple[Callable[[], bytes], list[str] | None]] = {
    "CMYK JPEG": (lambda: saved(scene(mark=1).convert("CMYK"), "JPEG", quality=95), UPRIGHT),
    "palette GIF": (lambda: saved(scene(mark=2).convert("P"), "GIF"), UPRIGHT),
    "palette PNG": (lambda: saved(scene(mark=3).convert("P"), "PNG"), UPRIGHT),
    "16-bit PNG": (sixteen_bit_grey, None),
    "alpha": (with_alpha, RED_HALF),
    "animated GIF": (lambda: animated("GIF"), UPRIGHT),
    "animated WebP": (lambda: animated("WEBP"), UPRIGHT),
    "animated PNG": (lambda: animated("PNG"), UPRIGHT),
    "TIFF of several pages": (lambda: animated("TIFF"), UPRIGHT),
    "embedded profile in a JPEG": (lambda: with_profile("JPEG"), UPRIGHT),
    "embedded profile in a PNG": (lambda: with_profile("PNG"), UPRIGHT),
    "embedded profile in a WebP": (lambda: with_profile("WEBP"), UPRIGHT),
    "broken profile": (
        lambda: saved(scene(mark=9), "JPEG", icc_profile=b"no profile at all"),
        UPRIGHT,
    ),
    "empty EXIF block": (lambda: with_exif(b"", mark=11), UPRIGHT),
    "EXIF whose offsets point past its end": (
        lambda: with_exif(b"II*\0\xff\xff\xff\xff", mark=12),
        UPRIGHT,
    ),
    "EXIF that is cut off": (
        lambda: with_exif(b"MM\0*\0\0\0\x08\0\x05\x01\x12\0\x03", mark=13),
        UPRIGHT,
    ),
    "EXIF whose directory follows itself": (
        lambda: with_exif(b"II*\0\x08\0\0\0\0\0\x08\0\0\0" * 3, mark=14),
        UPRIGHT,
    ),
    "EXIF with 65,535 entries": (
        lambda: with_exif(b"II*\0\x08\0\0\0\xff\xff" + b"\x12\x01" * 4000, mark=15),
        UPRIGHT,
    ),
    "EXIF with an orientation of 9": (
        lambda: with_exif(b"II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x09\0\0\0", mark=16),
        UPRIGHT,
    ),
    "AVIF": (lambda: saved(scene(mark=18), "AVIF", quality=90), UPRIGHT),
    "EXIF that is noise": (lambda: with_exif(b"\xa5\x5a" * 300, mark=17), UPRIGHT),
    **{
        f"orientation {number}": (
            partial(orientated, number),
            SEEN[number],
        )
        for number in SEEN
    },
}


Played = tuple[dict[str, StoredTrace | str], list[Body]]
"""Traces by the name of their photo, or why there is none; and the requests."""


@pytest.fixture(scope="module")
def played(
    tmp_path_factory: pytest.TempPathFactory,
) -> Played:
    """Every odd photo in one dataset and one run: its trace, or why it has none; what was told."""
    folder = tmp_path_factory.mktemp("odd")
    makers = {**REFUSED, **SENT}
    path = save_dataset(folder / "odd", [make() for make, _ in makers.values()])
    notes = Notes()
    with teacher_server(zoom_then_answer) as server:
        tally = run(server.url, path, folder / "geostore.db", num_samples=None, notes=notes)
        received = server.bodies
    assert tally.closed == {"answered": len(SENT)}
    with Store.open(folder / "geostore.db") as store:
        outcomes: dict[str, StoredTrace | str] = {}
        rows = store.db.connection.execute("select sample_index, exclusion from samples")
        excluded = {row["sample_index"]: row["exclusion"] for row in rows}
        names = list(makers)
        for row in store.db.connection.execute("select id from traces"):
            trace = store.traces.get_trace(row["id"])
            outcomes[names[trace.sample.sample_index]] = trace
        for index, reason in excluded.items():
            if reason is not None:
                outcomes[names[index]] = reason
    return outcomes, received


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_a_photo_is_skipped_with_its_reason(name: str, played: Played) -> None:
    assert played[0][name] == REFUSED[name][1]


@pytest.mark.parametrize("name", SENT)
def test_what_can_be_shown_is_sent_upright_and_plain(name: str, played: Played) -> None:
    """8 bits a channel, one frame, no metadata; and derived again by its row, zoom and all."""
    trace = played[0][name]
    assert isinstance(trace, StoredTrace), trace
    assert isinstance(trace.recipe, Recipe)
    photo = PhotoSource().photo_bytes(trace)
    images = conversation_images(photo, played_recipe(trace), trace.calls, sent=trace.photo)
    assert len(images) == 2
    shown = Image.open(io.BytesIO(images[0].data))
    assert (shown.mode, getattr(shown, "n_frames", 1)) == ("RGB", 1)
    turned = name.startswith("orientation") and int(name[-1]) >= 5
    assert shown.size == (SIZE[::-1] if turned else SIZE)
    assert not dict(shown.getexif())
    expected = SENT[name][1]
    if expected is None:  # grey: the dark half at the left, the bright one at the right
        assert [rgb_at(shown, (x, 60))[0] // 32 for x in (10, 150)] == [1, 7]
    else:
        assert corners(shown) == expected
    assert ("icc_profile" in shown.info) == name.startswith("embedded")


def test_what_the_server_saw_are_whole_images_of_the_size_it_was_told(
    played: Played,
) -> None:
    seen = 0
    for body in played[1]:
        (photo, text) = body["messages"][1]["content"]
        with Image.open(
            io.BytesIO(b64decode(photo["image_url"]["url"].partition(",")[2]))
        ) as image:
            image.load()
            assert f"{image.width} x {image.height} pixels" in text["text"]
            seen += 1
    assert seen == 2 * len(SENT)


def test_the_page_says_what_becomes_of_each() -> None:
    table = dict(re.findall(r"^\| (.+?) \| `?(\w+)`?[^|]*\|", PAGE.read_text(), re.MULTILINE))
    for name, (_, reason) in REFUSED.items():
        assert table[name] == reason, json.dumps(name)
    for name in SENT:
        assert table["orientation 1 to 8" if name.startswith("orientation") else name] == "sent"
