"""Which files of a folder are imported, and in which order."""

from __future__ import annotations

from pathlib import Path

from geostore.importing.files import find_files


def test_files_come_in_the_order_of_their_names(tmp_path: Path) -> None:
    """A disk has an order of its own, and of two files of one trace the first is imported."""
    names = [f"{place}trace_{row:05}.json" for place in ("", "a/", "b/") for row in range(40)]
    for number in range(len(names)):
        path = tmp_path / names[number * 17 % len(names)]
        path.parent.mkdir(exist_ok=True)
        path.write_text("{}")
    paths = [Path(file.path).relative_to(tmp_path) for file in find_files(tmp_path)]
    assert paths == [Path(name) for name in names]
