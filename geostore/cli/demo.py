"""``geostore demo``: the whole pipeline, without a network or a key."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def demo(
    directory: Annotated[Path, typer.Argument(help="The folder to make.")] = Path("demo"),
    samples: Annotated[int, typer.Option(min=1, help="How many photos to render.")] = 24,
) -> None:
    """Run the whole pipeline on rendered photos with the offline teacher; no network, no key."""
    from geostore.demo import walkthrough

    walkthrough.run(directory, samples=samples)
