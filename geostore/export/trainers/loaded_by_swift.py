"""Loads the first row of an export with ms-swift's own loader, where that is installed.

It needs no student: the loader reads the row, and an agent template writes its calls. The
module imports nothing of geostore, because ms-swift asks for older packages than it, and so can
be run in an environment of its own.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

_LONGEST_TEXT = 60
_AGENT_TEMPLATE = "hermes"


def loaded_row(folder: Path) -> str:
    """What ms-swift reads in the first row of an export, and learns of it, in words.

    Raises whatever it raises itself where it cannot load the row, or ValueError.
    """
    version = importlib.metadata.version("ms-swift")
    files = [str(file) for file in sorted(folder.glob("*.jsonl"))]
    return f"ms-swift {version} loads the first row: " + "; instead of ".join(_sides(files, folder))


def _sides(files: list[str], folder: Path) -> Iterator[str]:
    dataset = importlib.import_module("swift.dataset")
    inputs = importlib.import_module("swift.template.template_inputs")
    # Streaming, so that neither all rows are read nor a cache is written.
    rows, _ = dataset.load_dataset(files, streaming=True, strict=True, remove_unused_columns=False)
    row = inputs.TemplateInputs.from_dict(next(iter(rows)))
    yield _said(row.chosen, folder)
    if row.rejected is not None:
        yield _said(row.rejected, folder)


def _said(side: Any, folder: Path) -> str:
    """One conversation: how many images, and what is learnt of it."""
    vision = importlib.import_module("swift.template.vision_utils")
    agents = importlib.import_module("swift.agent_template")
    for image in side.images:
        vision.load_image(str(folder / image["path"]))
    places = sum(message["content"].count("<image>") for message in side.messages)
    if places != len(side.images):
        raise ValueError(f"{places} places for {len(side.images)} images")
    agent = agents.agent_template_map[_AGENT_TEMPLATE]()
    learnt = []
    for message in side.messages:
        if message.get("loss") is False:
            continue
        if message["role"] == "assistant":
            learnt.append(message["content"])
        elif message["role"] == "tool_call":
            learnt.append(agent._format_tool_calls([message]))
    texts = [textwrap.shorten(text, _LONGEST_TEXT, placeholder=" ...") for text in learnt]
    count = "1 image" if places == 1 else f"{places} images"
    return f"{count}, learns " + ", ".join(f'"{text}"' for text in texts)
