"""Traces as a dataset of the library `datasets`, for Python."""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
import warnings
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

from geostore.dataset.saved import load_saved
from geostore.errors import ExportError
from geostore.export.files.folder import ExportFolder
from geostore.export.formats.hf import RULES, columns_of, write_hf
from geostore.export.options import ExportOptions, checked_options
from geostore.export.stream import ExportStream
from geostore.store import ENDED, EVERY, Choice, Filter, open_snapshot

if TYPE_CHECKING:
    import datasets


def hf_dataset(
    store: Path, filters: Filter, options: ExportOptions, choice: Choice = EVERY
) -> datasets.Dataset:
    """The traces that a filter and a choice keep, as rows of the format ``hf``.

    The rows are written into a folder for temporary files and mapped into memory from there, so
    that a large store needs no more of it; the folder goes when the process ends. Warns where
    traces are left out, such as imported ones whose images cannot be made again.

    Raises ExportError.
    """
    options = checked_options(options, RULES)
    if filters.statuses is None or not set(filters.statuses) <= set(ENDED):
        raise ExportError(f"only traces that ended can be exported: {' or '.join(ENDED)}")
    path = Path(tempfile.mkdtemp(prefix="geostore-hf-"))
    # Not earlier: datasets that are made from this one, in other processes too, read its files.
    atexit.register(_remove, path, os.getpid())
    with closing(ExportFolder(path)) as folder, open_snapshot(store) as snapshot:
        traces = ExportStream(snapshot, filters, folder, options=options, choice=choice)
        count = write_hf(traces, folder)
    left_out = traces.unwritten
    if left_out.named:
        warnings.warn(
            f"left out {left_out.counts.total():,} traces that no row can hold"
            f"{left_out.first_text()}",
            stacklevel=3,
        )
    return load_saved(path)["train"] if count else columns_of(traces).empty()


def _remove(path: Path, process: int) -> None:
    # A process that was forked from this one leaves the files to it.
    if os.getpid() == process:
        shutil.rmtree(path, ignore_errors=True)
