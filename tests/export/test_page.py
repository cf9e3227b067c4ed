"""docs/exports.md names every format, and the versions of trainers that they are tried with."""

from __future__ import annotations

from pathlib import Path

from geostore.export import FORMATS
from tests.formats.trainers import TRAINERS

PAGE = (Path(__file__).parents[2] / "docs" / "exports.md").read_text(encoding="utf-8")


def test_every_format_is_in_the_table() -> None:
    assert [name for name in FORMATS if f"\n| `{name}` | " not in PAGE] == []


def test_every_trainer_is_named_with_the_version_that_is_tried() -> None:
    for trainer in TRAINERS:
        pinned = [
            requirement
            for requirement in (*trainer.requirements, *trainer.alone)
            if requirement.startswith(f"{trainer.name}==")
        ]
        assert len(pinned) == 1, f"{trainer.name} is not pinned"
        assert f"`{pinned[0]}`" in PAGE
