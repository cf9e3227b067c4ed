"""Loads an export with verl's own classes, where verl is installed.

It needs no student: verl's data set puts the images of a row at their places, its registry makes
the tools, and its loader runs the reward. What a tokenizer makes of a row is not tried. The module
knows nothing of geostore's other rooms, so that it also runs where only verl is.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from typing import Any

from geostore.errors import ExportError

_TOOL_CONFIG, _REWARD_FILE = "tool_config.yaml", "reward.py"


def load_conversation(folder: Path) -> str:
    """What verl reads in the first row of the export, and learns of it, in words.

    Raises ExportError where it cannot load it.
    """
    with _naming(folder), tempfile.TemporaryDirectory() as work:
        module = importlib.import_module("verl.utils.dataset.multiturn_sft_dataset")
        first = _first_row(folder, Path(work))
        rows = module.MultiTurnSFTDataset([str(first)], _Student(), {}, _Student())
        messages = rows._build_messages(rows.dataframe.iloc[0].to_dict())
    roles = [message["role"] for message in messages]
    parts = [part for message in messages for part in message["content"]]
    images = sum(part["type"] == "image" for part in parts)
    return (
        f"verl {_version()} loads the first row: {len(messages)} messages, images: {images}; it "
        f"learns {roles.count('assistant')} of them"
    )


def load_environment(folder: Path) -> str:
    """Which tools verl makes of the export, and what it pays for the true place, in words.

    Raises ExportError where it cannot load them.
    """
    with _naming(folder), tempfile.TemporaryDirectory() as work:
        row = _first_prompt(_first_row(folder, Path(work)))
        said = [f"verl {_version()} loads the first prompt"]
        if (folder / _TOOL_CONFIG).exists():
            said.append(f"the tools {', '.join(_tools(folder))}")
        if (folder / _REWARD_FILE).exists():
            said.append(f"the reward, which is {_reward(folder, row):.6g} for the true place")
    return "; ".join(said)


class _Student:
    """Stands for a tokenizer and a processor, of which nothing is read here."""

    def __init__(self) -> None:
        self.image_processor = self
        self.patch_size = 16

    def apply_chat_template(self, messages: list[Any], **settings: Any) -> list[int]:
        """A token for each message."""
        return [0] * (len(messages) + bool(settings.get("add_generation_prompt")))


@contextmanager
def _naming(folder: Path) -> Iterator[None]:
    try:
        with redirect_stdout(sys.stderr):  # verl prints what it does
            yield
    except Exception as error:  # any way in which a loader refuses a row
        raise ExportError(f"verl cannot load {folder}: {error}") from error


def _version() -> str:
    return importlib.metadata.version("verl")


def _first_row(folder: Path, work: Path) -> Path:
    """A file with the first row alone: verl reads whole files into memory."""
    from pyarrow import Table, parquet

    with parquet.ParquetFile(min(folder.glob("*.parquet"))) as file:
        batch = next(file.iter_batches(batch_size=1))
    parquet.write_table(Table.from_batches([batch]), work / "first.parquet")
    return work / "first.parquet"


def _first_prompt(file: Path) -> Mapping[str, Any]:
    module = importlib.import_module("verl.utils.dataset.rl_dataset")
    settings = {"cache_dir": str(file.parent), "filter_overlong_prompts": False}
    row: Mapping[str, Any] = module.RLHFDataset(str(file), _Student(), settings, _Student())[0]
    return row


def _tools(folder: Path) -> list[str]:
    registry = importlib.import_module("verl.tools.tool_registry")
    sys.path.insert(0, str(folder))
    try:
        return [tool.name for tool in registry.load_all_tools(str(folder / _TOOL_CONFIG), None)]
    finally:
        sys.path.remove(str(folder))
        sys.modules.pop("geostore_tools", None)


def _reward(folder: Path, row: Mapping[str, Any]) -> float:
    load = importlib.import_module("verl.utils.import_utils").load_extern_object
    function = load(module_path=str(folder / _REWARD_FILE), object_name="compute_score")
    place = row["reward_model"]["ground_truth"]
    answer = f"\\boxed{{{place['lat']}, {place['lon']}}}"
    result = function(row["data_source"], answer, place, dict(row["extra_info"]))
    return float(result["score"])
