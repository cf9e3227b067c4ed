"""Files of others stand here as they were published, and travel with their licences."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

import pytest

from geostore.vendor import licences, vendored

ROOT = Path(__file__).parents[2]
FOLDERS = (ROOT / "geostore" / "vendor", ROOT / "tests" / "axe")


@pytest.fixture(autouse=True)
def _scripts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(ROOT / "scripts")


def test_every_copy_has_the_hash_of_the_lock_and_no_other_file_stands_beside_it() -> None:
    import npm_packages

    locked = {
        place["path"]: place["sha256"]
        for package in npm_packages.locked().values()
        for place in package.files.values()
    }
    copies = {
        str(path.relative_to(ROOT)): hashlib.sha256(path.read_bytes()).hexdigest()
        for folder in FOLDERS
        for path in folder.rglob("*")
        if path.is_file() and path.suffix not in (".py", ".pyc")
    }
    assert copies == locked


def test_the_lock_pins_by_hash_and_names_no_address() -> None:
    """A clone may fetch from whatever registry its npm is set up for."""
    import npm_packages

    text = npm_packages.LOCK.read_text(encoding="utf-8")
    assert "://" not in text
    assert "registry" not in text
    for package in npm_packages.locked().values():
        assert re.fullmatch(r"\d+\.\d+\.\d+", package.version), package
        assert re.fullmatch(r"sha512-[A-Za-z0-9+/]{86}==", package.integrity), package


def test_a_file_with_other_bytes_than_the_locks_is_not_written() -> None:
    import npm_packages
    import vendor

    d3 = npm_packages.locked()["d3"]
    with pytest.raises(SystemExit, match=r"dist/d3\.min\.js of npm package d3 has the sha256"):
        vendor.checked(d3, {"dist/d3.min.js": b"changed"}, "dist/d3.min.js")
    with pytest.raises(SystemExit, match=r"d3 7\.9\.0 has no file dist/d3\.min\.js"):
        vendor.checked(d3, {}, "dist/d3.min.js")


def test_every_vendored_package_is_named_with_its_licence_and_carries_its_notice() -> None:
    import npm_packages

    table = (ROOT / "THIRD_PARTY.md").read_text(encoding="utf-8")
    notices = licences()
    for package in npm_packages.locked().values():
        assert package.name in table
        if any(path["path"].startswith("geostore/vendor/") for path in package.files.values()):
            name = package.name.rpartition("/")[2]
            assert f"{name}\n\n" in notices, f"{name} has a notice"
            assert package.licence in table


def test_no_vendored_script_can_end_its_own_element() -> None:
    """They stand inside <script> in a page, and its policy has their hash with plain line ends."""
    for name in ("d3.min.js", "plot.umd.min.js", "topojson-client.min.js"):
        script = vendored(name)
        assert not re.search(r"</script|<!--|\r", script, re.IGNORECASE)
