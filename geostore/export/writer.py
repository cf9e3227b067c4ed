"""What a format is made of."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from geostore.export.files.folder import ExportFolder
from geostore.export.options import FormatRules
from geostore.export.stream import Choose, ExportStream


@dataclass(frozen=True, slots=True)
class FormatWriter:
    """A format: what it takes, and the function that writes it."""

    rules: FormatRules
    """Which options and images it takes."""
    write: Callable[[ExportStream, ExportFolder], int]
    """Writes the traces and returns how many."""
    guide: Callable[[ExportStream], str] | None = None
    """How its trainer loads the export, with the exact settings, as Markdown for the export's
    README; called when all traces are written. None: it has no README."""
    choose: Choose | None = None
    """Which traces it writes; None: all."""
    loads: Callable[[Path], str] | None = None
    """Loads the first row of an export with the trainer's own loader, which is installed, and says
    what of it is trained on; raises ExportError where it cannot. None: nobody wrote that."""
