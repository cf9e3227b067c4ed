"""Asks ms-swift as ``geostore export --check`` does, where the trainer is installed."""

from __future__ import annotations

import runpy
from collections.abc import Iterator, Sequence
from pathlib import Path

from tests.formats.environment import ROOT
from tests.formats.seen import SeenRow, run

CHECK = ROOT / "geostore" / "export" / "trainers" / "loaded_by_swift.py"


def load(export: Path, _student: Path, more: Sequence[str]) -> Iterator[SeenRow]:
    """No row: what it says has to hold the further arguments."""
    # By its path: geostore's own requirements are not in this environment.
    words = runpy.run_path(str(CHECK))["loaded_row"](export)
    for part in more:
        assert part in words, words
    yield from ()


if __name__ == "__main__":
    run(load, "ms-swift", "transformers", "datasets", "torch")
