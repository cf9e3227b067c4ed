"""Asks LLaMA-Factory as ``geostore export --check`` does, where the trainer is installed."""

from __future__ import annotations

import runpy
from collections.abc import Iterator, Sequence
from pathlib import Path

from tests.formats.environment import ROOT
from tests.formats.seen import SeenRow, run

CHECK = ROOT / "geostore" / "export" / "trainers" / "loaded_by_llamafactory.py"


def load(export: Path, _student: Path, more: Sequence[str]) -> Iterator[SeenRow]:
    """No row: what it says has to be what is given as the only further argument."""
    # By its path: geostore's own requirements are not in this environment.
    words = runpy.run_path(str(CHECK))["loaded_rows"](export)
    assert words == more[0], words
    yield from ()


if __name__ == "__main__":
    run(load, "llamafactory", "transformers", "datasets", "torch")
