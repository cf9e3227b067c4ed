"""Writes a file beside its target and renames it, so that nobody ever sees half of it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


@contextmanager
def written_beside(target: Path) -> Iterator[Path]:
    """A path to write to, which takes the place of `target` at the end.

    After an error `target` is as it was. What is no file, such as a pipe, is written itself.
    """
    if target.exists() and not target.is_file():
        yield target
        return
    final = target.resolve()  # the file that a link points at, or the link would be replaced
    part = final.with_name(f".{final.name}.{os.getpid()}.part")
    try:
        yield part
        if final.exists():
            shutil.copymode(final, part)
        os.replace(part, final)
    finally:
        with suppress(OSError):
            part.unlink(missing_ok=True)
