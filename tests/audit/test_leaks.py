"""Where a photo was taken is planted in every place of its file; the server gets none of it.

Through a whole run, over the bytes that the server received: the requests as text, and every image
in them decoded and searched byte by byte.
"""

from __future__ import annotations

import io
import json
import re
import struct
import zlib
from base64 import b64decode
from pathlib import Path
from typing import Any

import pytest
from PIL import Image, ImageCms, PngImagePlugin, TiffImagePlugin

from tests.conftest import photo_bytes
from tests.image_samples import chunk, segment
from tests.minds import wanderer
from tests.running import Notes, run
from tests.teacher_server import TeacherServer, teacher_server

# Each hiding place has a secret of its own, so that a leak names it.
PLACES = (
    "EXIFDESC",
    "EXIFUSER",
    "EXIFTHUMB",
    "XMPGPS",
    "XMPEXTENDED",
    "IPTCCITY",
    "COMMENT",
    "JFXXTHUMB",
    "APPNOTE",
    "SECONDPICTURE",
    "TRAILER",
    "PNGTEXT",
    "PNGZTEXT",
    "PNGITEXT",
    "PNGPRIVATE",
    "RIFFNOTE",
    "GIFAPP",
    "GIFPLAIN",
    "TIFFTAG",
    "TIFFCOPYRIGHT",
    "PROFILENAME",
    "PROFILETEXT",
    "FILENAME",
    "FOLDERNAME",
    "COLUMNCITY",
    "COUNTRYCOL",
)
LAT, LON = 48.137154, 11.576124
# The coordinates as text, in whatever XMP or comments hold them.
WRITTEN = ("48.137154", "11.576124", "48,8.22924N", "11,34.56744E")


def secret(place: str) -> bytes:
    return f"LEAK-{place}-{LAT}N-{LON}E".encode()


def scene(number: int) -> Image.Image:
    return Image.open(io.BytesIO(photo_bytes(number, size=(320, 240)))).convert("RGB")


def exif() -> Image.Exif:
    made = Image.Exif()
    made[0x010E] = secret("EXIFDESC").decode()  # ImageDescription
    made[0x0132] = "2021:07:04 10:11:12"
    made[0x010F] = "LEAK-CAMERA"
    made.get_ifd(0x8769)[0x9286] = b"ASCII\0\0\0" + secret("EXIFUSER")  # UserComment
    made.get_ifd(0x8825).update(
        {
            1: "N",
            2: (48.0, 8.0, 13.7544),
            3: "E",
            4: (11.0, 34.0, 34.0464),
            29: "2021:07:04",
        }
    )
    return made


def exif_bytes() -> bytes:
    """With a thumbnail behind the directories, as cameras write it."""
    return exif().tobytes() + b"\xff\xd8\xff\xe0" + secret("EXIFTHUMB") + b"\xff\xd9"


def xmp(place: str = "XMPGPS") -> bytes:
    return (
        b'<?xpacket begin="" id="W5M0MpCehiHzreSzNTczkc9d"?><x:xmpmeta xmlns:x="adobe:ns:meta/">'
        b'<rdf:Description exif:GPSLatitude="48,8.22924N" exif:GPSLongitude="11,34.56744E" '
        b'photoshop:City="' + secret(place) + b'"/></x:xmpmeta>'
    )


def iptc() -> bytes:
    city = secret("IPTCCITY")
    record = b"\x1c\x02\x5a" + struct.pack(">H", len(city)) + city
    return b"8BIM\x04\x04\0\0" + struct.pack(">I", len(record)) + record + b"\0" * (len(record) % 2)


def profile() -> bytes:
    """A profile with a place in its description and behind its last tag's text."""
    made = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    at = made.index("No copyright".encode("utf-16-be"))
    text = secret("PROFILETEXT")[:24]
    return made[:at] + text + made[at + len(text) :]


def jpeg() -> bytes:
    out = io.BytesIO()
    scene(1).save(
        out, "JPEG", exif=exif_bytes(), comment=secret("COMMENT"), icc_profile=profile(), quality=90
    )
    plain = out.getvalue()
    extended = b"http://ns.adobe.com/xmp/extension/\0" + b"0" * 32 + bytes(8) + xmp("XMPEXTENDED")
    planted = [
        segment(0xE0, b"JFXX\0\x10" + secret("JFXXTHUMB")),
        segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0" + xmp()),
        segment(0xE1, extended),
        segment(0xED, b"Photoshop 3.0\0" + iptc()),
        segment(0xE4, secret("APPNOTE")),
        segment(0xFE, secret("COMMENT")),
    ]
    first = 4 + struct.unpack(">H", plain[4:6])[0]
    second = segment(0xFE, secret("SECONDPICTURE"))
    end = plain[:2] + second + plain[2:] + secret("TRAILER")
    return plain[:first] + b"".join(planted) + plain[first:] + end


def png_photo() -> bytes:
    out = io.BytesIO()
    info = PngImagePlugin.PngInfo()
    info.add_text("Comment", secret("COMMENT").decode())
    scene(2).save(out, "PNG", exif=exif_bytes(), pnginfo=info)
    plain = out.getvalue()
    planted = [
        chunk(b"tEXt", b"Location\0" + secret("PNGTEXT")),
        chunk(b"zTXt", b"Location\0\0" + zlib.compress(secret("PNGZTEXT"), 0)),
        chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + xmp()),
        chunk(b"iTXt", b"City\0\0\0en\0\0" + secret("PNGITEXT")),
        chunk(b"prVt", secret("PNGPRIVATE")),
        chunk(b"iCCP", secret("PROFILENAME") + b"\0\0" + zlib.compress(profile(), 0)),
        chunk(b"tEXt", b"Raw profile type iptc\0" + iptc().hex().encode() + secret("IPTCCITY")),
    ]
    return plain[:33] + b"".join(planted) + plain[33:] + secret("TRAILER")


def webp() -> bytes:
    out = io.BytesIO()
    scene(3).save(out, "WEBP", exif=exif_bytes(), xmp=xmp(), icc_profile=profile(), quality=85)
    plain = out.getvalue()
    note = secret("RIFFNOTE")
    body = plain[8:] + b"NOTE" + struct.pack("<I", len(note)) + note + b"\0" * (len(note) % 2)
    return b"RIFF" + struct.pack("<I", len(body)) + body + secret("TRAILER")


def gif() -> bytes:
    out = io.BytesIO()
    scene(4).save(out, "GIF", comment=secret("COMMENT"))
    plain = out.getvalue()

    def blocks(body: bytes) -> bytes:
        parts = [body[at : at + 255] for at in range(0, len(body), 255)]
        return b"".join(bytes((len(part),)) + part for part in parts) + b"\0"

    table = 13 + 3 * 2 ** ((plain[10] & 7) + 1) * (plain[10] >> 7)
    planted = b"!\xff\x0bXMP DataXMP" + blocks(xmp()) + b"!\xff\x0bLEAKAPPS1.0"
    planted += blocks(secret("GIFAPP")) + b"!\x01\x0c" + bytes(12) + blocks(secret("GIFPLAIN"))
    return plain[:table] + planted + plain[table:] + secret("TRAILER")


def tiff() -> bytes:
    out = io.BytesIO()
    tags = TiffImagePlugin.ImageFileDirectory_v2()
    tags[270] = secret("TIFFTAG").decode()
    tags[33432] = secret("TIFFCOPYRIGHT").decode()
    tags[700] = xmp()
    tags[33723] = iptc()
    tags[34377] = iptc()
    tags[34853] = {1: "N", 2: (48.0, 8.0, 13.7544), 3: "E", 4: (11.0, 34.0, 34.0464)}
    scene(5).save(out, "TIFF", tiffinfo=tags, icc_profile=profile())
    return out.getvalue() + secret("TRAILER")


def avif() -> bytes:
    out = io.BytesIO()
    scene(6).save(out, "AVIF", exif=exif_bytes(), xmp=xmp(), icc_profile=profile())
    return out.getvalue()


FILES = {
    "jpeg": (
        jpeg,
        "EXIFDESC EXIFUSER EXIFTHUMB XMPGPS XMPEXTENDED IPTCCITY COMMENT JFXXTHUMB "
        "APPNOTE SECONDPICTURE TRAILER PROFILETEXT",
    ),
    "png": (
        png_photo,
        "EXIFDESC EXIFUSER EXIFTHUMB XMPGPS IPTCCITY COMMENT PNGTEXT PNGZTEXT "
        "PNGITEXT PNGPRIVATE TRAILER PROFILENAME PROFILETEXT",
    ),
    "webp": (webp, "EXIFDESC EXIFUSER EXIFTHUMB XMPGPS RIFFNOTE TRAILER PROFILETEXT"),
    "gif": (gif, "XMPGPS COMMENT GIFAPP GIFPLAIN TRAILER"),
    "tiff": (tiff, "XMPGPS IPTCCITY TIFFTAG TIFFCOPYRIGHT TRAILER PROFILETEXT"),
    "avif": (avif, "EXIFDESC EXIFUSER XMPGPS PROFILETEXT"),
}


@pytest.mark.parametrize("name", FILES)
def test_the_secrets_are_where_they_are_said_to_be(name: str) -> None:
    """Else nothing would be proven by not finding them."""
    make, places = FILES[name]
    data = make()
    for place in places.split():
        assert secret(place)[:20] in data, place
    with Image.open(io.BytesIO(data)) as image:
        image.load()
        if name != "gif":  # which has no EXIF
            gps = image.getexif().get_ifd(0x8825)
            assert float(gps[2][0]) == 48.0


def save(folder: Path) -> Path:
    """The files in a dataset whose every name and column tells the place too."""
    import datasets

    root = folder / "LEAK-FOLDERNAME"
    count = len(FILES)
    columns = {
        "image": [
            {"bytes": make(), "path": f"LEAK-FILENAME-{LAT}N-{LON}E_{name}.{name}"}
            for name, (make, _) in FILES.items()
        ],
        "lat": [LAT] * count,
        "lon": [LON] * count,
        "locatability_score": [0.5] * count,
        "country": ["LEAK-COUNTRYCOL"] * count,
        "city": ["LEAK-COLUMNCITY"] * count,
    }
    made = datasets.Dataset.from_dict(columns).cast_column("image", datasets.Image())
    made.save_to_disk(str(root))
    return root


@pytest.fixture(scope="module")
def received(tmp_path_factory: pytest.TempPathFactory) -> list[TeacherServer]:
    """What came in over runs of both protocols, and with images reduced and as they are."""
    folder = tmp_path_factory.mktemp("leaks")
    path = save(folder)
    servers = []
    recipes: tuple[dict[str, Any], ...] = (
        {"protocol": "text", "bbox_frame": "norm1000"},
        {"protocol": "native", "bbox_frame": "pixel", "max_pixels": 20_000},
    )
    for number, recipe in enumerate(recipes):
        with teacher_server(wanderer) as server:
            tally = run(
                server.url,
                path,
                folder / f"{number}.db",
                recipe=recipe,
                num_samples=None,
                notes=Notes(),
            )
        assert tally.closed.total() == len(FILES)
        servers.append(server)
    return servers


def images_in(server: TeacherServer) -> list[bytes]:
    return [
        b64decode(part["image_url"]["url"].partition(",")[2])
        for body in server.bodies
        for message in body["messages"]
        if isinstance(message["content"], list)
        for part in message["content"]
        if part["type"] == "image_url"
    ]


def test_no_secret_is_in_any_byte_that_the_server_received(received: list[TeacherServer]) -> None:
    for server in received:
        headers = json.dumps(server.headers).encode()
        wire = b"\n".join([headers, *server.requests, *images_in(server)])
        found = {place for place in PLACES if f"-{place}".encode() in wire}
        assert found == set()
        assert b"LEAK" not in wire
        for text in WRITTEN:
            assert text.encode() not in wire
            assert text.encode("utf-16-be") not in wire
            assert text.encode("utf-16-le") not in wire


def test_no_image_that_the_server_received_has_a_place_for_a_secret(
    received: list[TeacherServer],
) -> None:
    """Not even an empty one: whatever a file is built of is the picture's or its colours'."""
    markers = (
        *(b"Exif\0", b"EXIF", b"eXIf", b"xmpmeta", b"ns.adobe.com", b"8BIM", b"XMP ", b"tEXt"),
        *(b"zTXt", b"iTXt", b"MPF\0", b"JFXX", b"\xff\xfe"),
    )
    allowed = {
        *("jfif", "jfif_version", "jfif_unit", "jfif_density", "dpi", "icc_profile"),
        *("adobe", "adobe_transform", "progressive", "progression"),
        *("loop", "background"),  # of any WebP, by Pillow's decoder
    }
    seen = 0
    for server in received:
        for data in images_in(server):
            ends = data[:200] + data[-200:]
            if data.startswith(b"\xff\xd8"):
                ends = data[: data.find(b"\xff\xda")]
            assert not [marker for marker in markers if marker in ends]
            with Image.open(io.BytesIO(data)) as image:
                assert not dict(image.getexif())
                assert set(image.info) <= allowed
                image.load()
            seen += 1
    assert seen > 4 * len(FILES)


def test_what_tells_the_place_is_in_no_text_that_the_server_received(
    received: list[TeacherServer],
) -> None:
    for server in received:
        for raw in server.requests:
            words = re.sub(rb'"data:image/[^"]*"', b'""', raw)
            assert not re.search(rb"\.(jpe?g|png|webp|gif|tiff?|avif)\b|/tmp|48\.1|11\.57", words)
            assert b"sample_index" not in words
