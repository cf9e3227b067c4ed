"""A folder as a researcher with old batches has it: photos, and the files of two old runs.

The photos are rendered ones of the demo, 2048 x 1536 pixels, at real places. The files
are as the older scripts wrote them, so every image inside was really made of a photo.
"""

from __future__ import annotations

import json
from pathlib import Path

from geostore.demo.photos import make_photos
from tests.older_batch import OlderScript, Step

PHOTOS = Path("gaea_wlp/train")
OLD = Path("old_traces")
SAMPLES = 8

_SCRIPT = OlderScript(frame="pixel", longest=560)
_STEPS: tuple[tuple[Step, ...], ...] = (
    ((0.3, 0.3, 0.6, 0.6),),
    ((0.1, 0.4, 0.5, 0.7), (0.2, 0.45, 0.4, 0.6)),
    ((0.5, 0.2, 0.9, 0.6), 15.0),
)
# Degrees of latitude between answer and truth, by row.
_AWAY_WITH_TOOLS = (0.02, 0.4, 1.1, 0.05, 2.5, 30.0, 0.3, 7.0)
_AWAY_WITHOUT = (1.5, 6.0, 21.0, 4.0, 2.5, 33.0, 12.0, 9.0)


def make_old_project(home: Path) -> None:
    """Write photos and old trace files below a folder; the same ones every time."""
    make_photos(home / PHOTOS, samples=SAMPLES)
    for row in range(SAMPLES):
        steps = _STEPS[row % len(_STEPS)]
        _write(home / OLD / "with_tools", home / PHOTOS, row, steps, _AWAY_WITH_TOOLS[row])
        _write(home / OLD / "no_tools", home / PHOTOS, row, (), _AWAY_WITHOUT[row])
    _spoil(home / OLD)


def _write(folder: Path, photos: Path, row: int, steps: tuple[Step, ...], away: float) -> None:
    _SCRIPT.write(folder, photos, rows=[row], steps=steps, away=away)


def _spoil(old: Path) -> None:
    """What happens to files in a year: one is cut off, one has images of another trace."""
    cut = old / "no_tools" / "trace_00006.json"
    cut.write_text(cut.read_text(encoding="utf-8")[:-400], encoding="utf-8")
    mixed = old / "with_tools" / "trace_00004.json"
    other = json.loads((old / "with_tools" / "trace_00001.json").read_text(encoding="utf-8"))
    document = json.loads(mixed.read_text(encoding="utf-8"))
    of_other = other["conversation_history"][-1]["messages"]
    for turn in document["conversation_history"]:
        turn["messages"] = [
            theirs if message["role"] == "user" and number > 1 else message
            for number, (message, theirs) in enumerate(
                zip(turn["messages"], of_other, strict=False)
            )
        ]
    mixed.write_text(json.dumps(document), encoding="utf-8")
