"""Removes everything but the picture from a photo file, without encoding it again.

The result decodes to the same pixels in the same colours and holds no EXIF, XMP,
IPTC, comment, thumbnail, text, second image or trailing data. An allow-list
names the segments and chunks that stay; all others are removed. A colour profile
stays, because the colours would change without it, but everything in it that is
not colour (names, descriptions, dates, device) is overwritten with zeros.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal

from geostore.errors import ImageError

_PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_EXIF_PREFIX = b"Exif\0\0"
_ICC_PREFIX = b"ICC_PROFILE\0"
_MAX_PROFILE_BYTES = 4 << 20


@dataclass(frozen=True, slots=True)
class StrippedFile:
    """A photo file without metadata, and the orientation that its metadata gave."""

    data: bytes
    """The file without metadata; the very object that was given where it holds none."""
    format: Literal["JPEG", "PNG", "WEBP"]
    """Pillow's name of the format."""
    orientation: int
    """EXIF's, 1 to 8; 1 where there is none or it cannot be read."""
    plain: bool
    """Whether every decoder reads it alike.

    That takes 8 bits a channel, one frame, and no arithmetic or lossless JPEG coding.
    """


def strip_metadata(data: bytes) -> bytes:
    """A JPEG, PNG or WebP without its metadata; the pixels stay the same.

    An animated PNG keeps only its still image. Raises ImageError (kind
    ``undecodable``) for another format and for a file whose structure is broken
    or ends early; such a file can only be decoded and encoded anew.
    """
    return strip(data).data


def strip(data: bytes) -> StrippedFile:
    """`strip_metadata`, with the file's format and orientation. Raises as it does."""
    if data.startswith(b"\xff\xd8\xff"):
        stripped = _strip_jpeg(data)
    elif data.startswith(_PNG_SIGNATURE):
        stripped = _strip_png(data)
    elif data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        stripped = _strip_webp(data)
    else:
        raise _broken("neither JPEG, PNG nor WebP")
    # One copy in memory is enough, and what is known of it, such as its hash, holds for both.
    return replace(stripped, data=data) if stripped.data == data else stripped


def exif_orientation(exif: bytes) -> int:
    """Orientation (1 to 8) from an EXIF block; 1 where it cannot be read.

    EXIF libraries fail or warn where the block is corrupt, and that must not spoil the
    photo. Source: Exif 2.3 and TIFF 6.0, section 2.
    """
    tiff = exif.removeprefix(_EXIF_PREFIX)
    order: Literal["little", "big"]
    if tiff.startswith(b"II"):
        order = "little"
    elif tiff.startswith(b"MM"):
        order = "big"
    else:
        return 1
    start = int.from_bytes(tiff[4:8], order)
    count = int.from_bytes(tiff[start : start + 2], order)
    for at in range(start + 2, start + 2 + 12 * count, 12):
        entry = tiff[at : at + 12]
        if len(entry) < 12:
            break
        if int.from_bytes(entry[:2], order) == 0x0112:
            is_short = int.from_bytes(entry[2:4], order) == 3
            value = int.from_bytes(entry[8:10] if is_short else entry[8:12], order)
            return value if 1 <= value <= 8 else 1
    return 1


# --- colour profiles ----------------------------------------------------------------------------

# ICC tags of these types hold numbers about colour and stay. Tags of text types are emptied but
# keep their type, because some readers insist that a profile has a description.
_CURVE_TYPES = frozenset([b"curv", b"para", b"mft1", b"mft2", b"mAB ", b"mBA ", b"mpet"])
_NUMBER_TYPES = frozenset([b"XYZ ", b"sf32", b"chrm", b"cicp", b"meas", b"view", b"sig ", b"clro"])
_COLOUR_TYPES = _CURVE_TYPES | _NUMBER_TYPES
_TEXT_TYPES = frozenset([b"text", b"desc", b"mluc"])


def clean_profile(profile: bytes) -> bytes | None:
    """An ICC profile with everything but colour emptied, of the same length and layout.

    None where the profile is not well-formed; decoders ignore such a one too.
    Source: ICC.1:2022, section 7 (header 128 bytes, tag count, 12 bytes a tag).
    """
    size = len(profile)
    if size < 132 or profile[36:40] != b"acsp" or int.from_bytes(profile[:4], "big") != size:
        return None
    count = int.from_bytes(profile[128:132], "big")
    table_end = 132 + 12 * count
    if table_end > size:
        return None
    # The copy starts as zeros, so bytes that lie between tags are dropped too.
    clean = bytearray(size)
    clean[:table_end] = profile[:table_end]
    # Date; manufacturer and model; creator, the checksum of the original profile, and the rest.
    for start, end in ((24, 36), (48, 56), (80, 128)):
        clean[start:end] = bytes(end - start)
    for entry in range(132, table_end, 12):
        start = int.from_bytes(profile[entry + 4 : entry + 8], "big")
        end = start + int.from_bytes(profile[entry + 8 : entry + 12], "big")
        if start < table_end or end > size:
            return None
        kind = profile[start : start + 4]
        if kind in _COLOUR_TYPES:
            clean[start:end] = profile[start:end]
        elif kind == b"mluc" and end - start >= 16:
            # No records, each of 12 bytes.
            clean[start : start + 16] = b"mluc" + bytes(8) + b"\0\0\0\x0c"
        elif kind in _TEXT_TYPES:
            clean[start : start + 4] = kind
    return bytes(clean)


# --- JPEG ---------------------------------------------------------------------------------------

_SOS, _EOI, _APP0, _APP1, _APP2, _APP14 = 0xDA, 0xD9, 0xE0, 0xE1, 0xE2, 0xEE
_PLAIN_FRAMES = frozenset([0xC0, 0xC1, 0xC2])
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
# Frames, Huffman and arithmetic tables, quantization tables, number of lines, restart interval.
_KEPT_MARKERS = _FRAMES | {0xC4, 0xCC, 0xDB, 0xDC, 0xDD}
# Application data, extensions, comments.
_DROPPED_MARKERS = frozenset([*range(0xE0, 0xFF)])
# Inside a scan 0xFF is followed by 0 (a stuffed byte) or by a restart marker.
_MARKER_IN_SCAN = re.compile(rb"\xff[\x01-\xcf\xd8-\xff]")


def _strip_jpeg(data: bytes) -> StrippedFile:
    """Source: ITU-T T.81, annex B; JFIF 1.02; ICC.1:2022, annex B.4 for profiles."""
    jfif = adobe = b""
    exif: bytes | None = None
    profile: list[bytes] = []
    picture: list[bytes] = []
    frames: set[int] = set()
    scans = 0
    at = 2
    while True:
        marker, at = _next_marker(data, at)
        if marker == _EOI:
            break
        length = int.from_bytes(data[at : at + 2], "big")
        payload = data[at + 2 : at + length]
        if length < 2 or len(payload) != length - 2:
            raise _broken("a JPEG segment is cut off")
        at += length
        if marker == _SOS:
            end = _end_of_scan(data, at)
            picture.append(_segment(marker, payload) + data[at:end])
            at = end
            scans += 1
        elif marker in _KEPT_MARKERS:
            picture.append(_segment(marker, payload))
            frames |= {marker} & _FRAMES
        elif marker == _APP0 and payload[:5] == b"JFIF\0" and len(payload) >= 14:
            # Without its thumbnail. The segment itself stays: it tells decoders the colour space.
            jfif = jfif or _segment(marker, payload[:12] + b"\0\0")
        elif marker == _APP14 and payload[:5] == b"Adobe" and len(payload) >= 12:
            adobe = _segment(marker, payload[:12])
        elif marker == _APP1 and payload[:6] == _EXIF_PREFIX:
            exif = payload if exif is None else exif
        elif marker == _APP2 and payload[:12] == _ICC_PREFIX and len(payload) > 14:
            profile.append(payload[12:])
        elif marker not in _DROPPED_MARKERS:
            raise _broken(f"unknown JPEG marker {marker:#x}")
    if not frames or not scans:
        raise _broken("a JPEG without a picture")
    return StrippedFile(
        data=b"".join([b"\xff\xd8", jfif, adobe, *_icc_segments(profile), *picture, b"\xff\xd9"]),
        format="JPEG",
        orientation=exif_orientation(exif or b""),
        plain=frames <= _PLAIN_FRAMES,
    )


def _next_marker(data: bytes, at: int) -> tuple[int, int]:
    """The marker at `at` (past fill bytes) and where its segment begins."""
    if data[at : at + 1] != b"\xff":
        raise _broken("a JPEG marker is missing, or the file ends early")
    while data[at : at + 1] == b"\xff":
        at += 1
    if at >= len(data):
        raise _broken("the JPEG ends early")
    return data[at], at + 1


def _end_of_scan(data: bytes, at: int) -> int:
    """Where the entropy-coded data that begins at `at` ends."""
    while match := _MARKER_IN_SCAN.search(data, at):
        at = match.start()
        after = at
        while data[after : after + 1] == b"\xff":
            after += 1
        follows = data[after] if after < len(data) else 0
        if follows and not 0xD0 <= follows <= 0xD7:
            return at
        at = after
    raise _broken("the JPEG ends inside its picture")


def _segment(marker: int, payload: bytes) -> bytes:
    return bytes((0xFF, marker)) + (len(payload) + 2).to_bytes(2, "big") + payload


def _icc_segments(parts: list[bytes]) -> list[bytes]:
    """The profile cleaned, in segments; each part begins with its number and their count."""
    parts = sorted(parts)
    if [part[0] for part in parts] != list(range(1, len(parts) + 1)):
        return []
    clean = clean_profile(b"".join(part[2:] for part in parts))
    if clean is None:
        return []
    room = 65_533 - len(_ICC_PREFIX) - 2
    pieces = [clean[at : at + room] for at in range(0, len(clean), room)]
    return [
        _segment(_APP2, _ICC_PREFIX + bytes((number, len(pieces))) + piece)
        for number, piece in enumerate(pieces, start=1)
    ]


# --- PNG ----------------------------------------------------------------------------------------

_PNG_CRITICAL = frozenset([b"IHDR", b"PLTE", b"IDAT", b"IEND"])
_PNG_COLOUR = frozenset([b"tRNS", b"gAMA", b"cHRM", b"sRGB", b"sBIT", b"pHYs", b"cICP"])
_PNG_KEPT = _PNG_CRITICAL | _PNG_COLOUR


def _strip_png(data: bytes) -> StrippedFile:
    """Source: PNG specification, third edition, sections 5 and 11."""
    out = [_PNG_SIGNATURE]
    exif = b""
    header = b""
    seen: set[bytes] = set()
    at = len(_PNG_SIGNATURE)
    while b"IEND" not in seen:
        length = int.from_bytes(data[at : at + 4], "big")
        name = data[at + 4 : at + 8]
        end = at + 12 + length
        if len(name) < 4 or end > len(data):
            raise _broken("the PNG ends early")
        body = data[at + 8 : end - 4]
        if name in _PNG_KEPT:
            # The checksum shows damage without decoding the picture.
            if zlib.crc32(data[at + 4 : end - 4]) != int.from_bytes(data[end - 4 : end], "big"):
                raise _broken(f"a PNG chunk fails its checksum ({name!r})")
            out.append(data[at:end])
            header = body if name == b"IHDR" else header
        elif name == b"iCCP":
            out.extend(_png_profile(body))
        elif name == b"eXIf":
            exif = body
        elif not name[0] & 0x20:
            raise _broken(f"unknown critical PNG chunk {name!r}")
        seen.add(name)
        at = end
    if len(header) != 13 or b"IDAT" not in seen:
        raise _broken("a PNG without a picture")
    return StrippedFile(
        data=b"".join(out),
        format="PNG",
        orientation=exif_orientation(exif),
        plain=header[8] == 8,
    )


def _png_profile(body: bytes) -> list[bytes]:
    """The iCCP chunk with its profile cleaned and its name replaced; none if it is unreadable."""
    _, _, rest = body.partition(b"\0")
    unpack = zlib.decompressobj()
    try:
        profile = unpack.decompress(rest[1:], _MAX_PROFILE_BYTES)
    except zlib.error:
        return []
    clean = clean_profile(profile)
    if clean is None:
        return []
    chunk = b"iCCP" + b"icc\0\0" + _zlib_stored(clean)
    return [(len(chunk) - 4).to_bytes(4, "big") + chunk + zlib.crc32(chunk).to_bytes(4, "big")]


def _zlib_stored(data: bytes) -> bytes:
    """`data` as a zlib stream without compression.

    Builds of zlib compress differently, and the bytes sent must be the same on every
    machine that derives them again. Source: RFC 1950 and RFC 1951, section 3.2.4.
    """
    out = [b"\x78\x01"]
    for at in range(0, len(data), 0xFFFF):
        block = data[at : at + 0xFFFF]
        final = at + 0xFFFF >= len(data)
        size = len(block)
        out.append(
            bytes((final,)) + size.to_bytes(2, "little") + (size ^ 0xFFFF).to_bytes(2, "little")
        )
        out.append(block)
    out.append(zlib.adler32(data).to_bytes(4, "big"))
    return b"".join(out)


# --- WebP ---------------------------------------------------------------------------------------

_WEBP_PICTURE = frozenset([b"VP8 ", b"VP8L", b"ALPH"])
_HAS_PROFILE, _HAS_EXIF, _HAS_XMP = 0x20, 0x08, 0x04


def _strip_webp(data: bytes) -> StrippedFile:
    """Source: RFC 9649 (WebP Image Format), section 2."""
    end = 8 + int.from_bytes(data[4:8], "little")
    if end > len(data):
        raise _broken("the WebP ends early")
    chunks = list(_riff_chunks(data[12:end]))
    names = {name for name, _ in chunks}
    if not names & {b"VP8 ", b"VP8L", b"ANMF"}:
        raise _broken("a WebP without a picture")
    exif = next((body for name, body in chunks if name == b"EXIF"), b"")
    profile = next((clean_profile(body) for name, body in chunks if name == b"ICCP"), None)
    out = []
    for name, body in chunks:
        if name == b"VP8X":
            if len(body) < 10:
                raise _broken("a WebP header is cut off")
            flags = body[0] & ~(_HAS_EXIF | _HAS_XMP | _HAS_PROFILE)
            flags |= _HAS_PROFILE if profile else 0
            out.append(_riff_chunk(name, bytes((flags, 0, 0, 0)) + body[4:10]))
        elif name == b"ICCP" and profile:
            out.append(_riff_chunk(name, profile))
        elif name == b"ANMF":
            # A frame is 16 bytes of position and timing, then chunks of its own.
            inner = b"".join(
                _riff_chunk(*chunk)
                for chunk in _riff_chunks(body[16:])
                if chunk[0] in _WEBP_PICTURE
            )
            out.append(_riff_chunk(name, body[:16] + inner))
        elif name in _WEBP_PICTURE or name == b"ANIM":
            out.append(_riff_chunk(name, body))
    joined = b"WEBP" + b"".join(out)
    return StrippedFile(
        data=b"RIFF" + len(joined).to_bytes(4, "little") + joined,
        format="WEBP",
        orientation=exif_orientation(exif),
        plain=not names & {b"ANIM", b"ANMF"},
    )


def _riff_chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    at = 0
    while at + 8 <= len(data):
        end = at + 8 + int.from_bytes(data[at + 4 : at + 8], "little")
        if end > len(data):
            raise _broken("a WebP chunk is cut off")
        yield data[at : at + 4], data[at + 8 : end]
        at = end + end % 2


def _riff_chunk(name: bytes, body: bytes) -> bytes:
    return name + len(body).to_bytes(4, "little") + body + bytes(len(body) % 2)


def _broken(reason: str) -> ImageError:
    return ImageError(f"the photo's file is not sound: {reason}", kind="undecodable")
