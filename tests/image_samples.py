"""Images whose colours are known, and image files whose parts are made by hand."""

from __future__ import annotations

import io
import math
import struct
import zlib

from PIL import Image

RED, GREEN, BLUE, WHITE = (255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255)
# What a viewer shows of `quarters` stored under each orientation; EXIF 2.3, table 6.
SEEN = {
    1: ["red", "green", "blue", "white"],
    2: ["green", "red", "white", "blue"],
    3: ["white", "blue", "green", "red"],
    4: ["blue", "white", "red", "green"],
    5: ["red", "blue", "green", "white"],
    6: ["blue", "red", "white", "green"],
    7: ["white", "green", "blue", "red"],
    8: ["green", "white", "red", "blue"],
}


def quarters(size: tuple[int, int] = (64, 32)) -> Image.Image:
    """Red top-left, green top-right, blue bottom-left, white bottom-right."""
    image = Image.new("RGB", size, WHITE)
    width, height = size
    image.paste(RED, (0, 0, width // 2, height // 2))
    image.paste(GREEN, (width // 2, 0, width, height // 2))
    image.paste(BLUE, (0, height // 2, width // 2, height))
    return image


def rgb_at(image: Image.Image, place: tuple[int, int]) -> tuple[int, ...]:
    """The value of a pixel in each band; a grey image has one band and gives no tuple."""
    pixel = image.getpixel(place)
    assert isinstance(pixel, tuple)
    return pixel


def corners(image: Image.Image) -> list[str]:
    """The names of the colours near the four corners, row by row."""
    named = {"red": RED, "green": GREEN, "blue": BLUE, "white": WHITE, "black": (0, 0, 0)}
    x, y = image.width // 8, image.height // 8
    places = [(x, y), (-x - 1, y), (x, -y - 1), (-x - 1, -y - 1)]
    found = []
    for across, down in places:
        pixel = rgb_at(image, (across % image.width, down % image.height))
        found.append(min(named, key=lambda name: math.dist(named[name], pixel)))
    return found


def noise(size: tuple[int, int]) -> Image.Image:
    bands = [Image.effect_noise(size, 80) for _ in range(3)]
    return Image.merge("RGB", bands)


def saved(image: Image.Image, format: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, format, **options)
    return buffer.getvalue()


def with_orientation(image: Image.Image, format: str, orientation: int) -> bytes:
    exif = Image.Exif()
    exif[0x0112] = orientation
    return saved(image, format, exif=exif, quality=95)


def segment(marker: int, payload: bytes) -> bytes:
    return bytes((0xFF, marker)) + struct.pack(">H", len(payload) + 2) + payload


def chunk(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def png(
    colour_type: int, depth: int, row: bytes, size: tuple[int, int], data: bytes = b""
) -> bytes:
    header = struct.pack(">IIBBBBB", *size, depth, colour_type, 0, 0, 0)
    rows = data or zlib.compress(b"".join(b"\0" + row for _ in range(size[1])))
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")
    )
