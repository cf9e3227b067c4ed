"""The files of an export, as far as they follow from the traces in it alone."""

from __future__ import annotations

import json
from pathlib import Path


def round_trip_files(folder: Path) -> dict[str, bytes]:
    """From each file's path to its bytes; the manifest without what it says of other traces.

    A store that an export was imported into does not hold the traces that it left out.
    """
    files = {
        p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()
    }
    manifest = json.loads(files["manifest.json"])
    for name in ("seen", "left_out"):
        del manifest["traces"][name]
    return {**files, "manifest.json": json.dumps(manifest).encode()}
