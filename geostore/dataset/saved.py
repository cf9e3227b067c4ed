"""Datasets as `datasets.save_to_disk` writes them, from rows that come one by one.

The library's own writer gives a dataset a random fingerprint, and wants all rows at once.
Here the same rows have the same bytes, and memory holds a batch.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol

if TYPE_CHECKING:
    import datasets
    import pyarrow

ColumnKind = Literal["text", "whole", "number", "json", "list of json", "images", "list of text"]
"""What a column holds. JSON comes as text; images are structs of ``bytes`` and ``path``."""

SPLITS = "dataset_dict.json"
"""The file that names the splits of a saved dataset."""


class _Target(Protocol):
    def write(self, data: Any) -> int: ...


@dataclass(slots=True)
class SavedSplit:
    """A split of a saved dataset."""

    name: str
    """Such as ``train``."""
    rows: int = 0
    """How many."""
    size: int = 0
    """Bytes of values."""


@dataclass(frozen=True)
class SavedColumns:
    """The columns of a saved dataset."""

    kinds: Mapping[str, ColumnKind]
    """By name, in order."""

    @cached_property
    def features(self) -> datasets.Features:
        """As `datasets` describes them."""
        # Imported here, because it takes most of a second.
        from datasets import Features, Image, Json, List, Value

        features = {
            "text": Value("string"),
            "whole": Value("int64"),
            "number": Value("float64"),
            "json": Json(),
            "list of json": List(Json()),
            "images": List(Image()),
            "list of text": List(Value("string")),
        }
        return Features({name: features[kind] for name, kind in self.kinds.items()})

    @cached_property
    def _stored(self) -> pyarrow.Schema:
        """The columns with JSON as the text that it is: pyarrow makes no extension from values."""
        import pyarrow

        types = {"json": pyarrow.string(), "list of json": pyarrow.list_(pyarrow.string())}
        schema = self.features.arrow_schema
        return pyarrow.schema(
            [(name, types.get(kind, schema.field(name).type)) for name, kind in self.kinds.items()]
        )

    @contextmanager
    def writer(self, target: _Target) -> Iterator[ArrowFile]:
        """A file of rows that is written into `target`."""
        import pyarrow

        schema = self.features.arrow_schema
        with pyarrow.ipc.new_stream(pyarrow.PythonFile(target, "w"), schema) as stream:
            yield ArrowFile(stream, self._stored, schema)

    def split_files(self, split: str, names: Sequence[str], sha256: str) -> dict[str, bytes]:
        """What stands beside the files of a split, by name.

        names: of its files, in the split's folder. sha256: what its fingerprint follows from.
        """
        from datasets import DatasetInfo

        state: dict[str, Any] = {
            "_data_files": [{"filename": name} for name in names],
            "_fingerprint": sha256[:16],
            "_format_columns": None,
            "_format_kwargs": {},
            "_format_type": None,
            "_output_all_columns": False,
            "_split": split,
        }
        info = asdict(DatasetInfo(features=self.features))
        return {
            "state.json": _json(state),
            "dataset_info.json": _json({name: info[name] for name in sorted(info)}),
        }

    def empty(self) -> datasets.Dataset:
        """A dataset of no rows."""
        from datasets import Dataset

        return Dataset.from_dict({name: [] for name in self.kinds}, features=self.features)

    def card(self, splits: Sequence[SavedSplit], **metadata: Any) -> str:
        """The metadata of a dataset card between its lines of ``---``: columns, splits, and more.

        metadata: further members, as the hub knows them.
        """
        files = [{"split": split.name, "path": f"{split.name}/*.arrow"} for split in splits]
        sizes = [
            {"name": split.name, "num_bytes": split.size, "num_examples": split.rows}
            for split in splits
        ]
        members = {
            **metadata,
            "size_categories": [_size_category(sum(split.rows for split in splits))],
            "configs": [{"config_name": "default", "data_files": files}],
            "dataset_info": {"features": self.features._to_yaml_list(), "splits": sizes},
        }
        return "\n".join(("---", *_yaml_lines(members), "---", ""))


def load_saved(folder: Path) -> datasets.DatasetDict:
    """The splits of a saved dataset; its files are mapped into memory, and have to stay."""
    from datasets import DatasetDict

    return DatasetDict.load_from_disk(str(folder), keep_in_memory=False)


class ArrowFile:
    """A file of rows; see `SavedColumns.writer`."""

    def __init__(self, stream: Any, stored: pyarrow.Schema, schema: pyarrow.Schema) -> None:
        self._stream, self._stored, self._schema = stream, stored, schema

    def write(self, rows: list[dict[str, Any]]) -> None:
        """Append rows, each with a value for every column."""
        import pyarrow

        batch = pyarrow.RecordBatch.from_pylist(rows, schema=self._stored)
        self._stream.write_batch(batch.cast(self._schema))


def card_of_files(by_split: Mapping[str, Sequence[str]]) -> str:
    """The metadata of a dataset card that says which files of a folder are its rows.

    by_split: the paths of files in the folder; a split of another name is ``train``.
    """
    names = {"train", "validation", "val", "test"}
    files = [
        {"split": split if split in names or len(by_split) > 1 else "train", "path": list(paths)}
        for split, paths in by_split.items()
    ]
    members = {"configs": [{"config_name": "default", "data_files": files}]}
    return "\n".join(("---", *_yaml_lines(members), "---", ""))


def splits_file(splits: Sequence[str]) -> bytes:
    """What the file `SPLITS` holds."""
    return _json({"splits": list(splits)})


def fingerprint_of(hashes: Sequence[str]) -> str:
    """A hash of the hashes of files, in order."""
    return hashlib.sha256("\n".join(hashes).encode()).hexdigest()


def _json(value: Any) -> bytes:
    # As the library writes it: the order of nested members counts, because they are columns.
    return json.dumps(value, indent=2).encode()


def _yaml_lines(members: Mapping[str, Any], indent: str = "") -> Iterator[str]:
    """Members as YAML; what is nested deeper stands in its lines as JSON, which YAML contains."""
    for name, value in members.items():
        if isinstance(value, Mapping):
            yield f"{indent}{name}:"
            yield from _yaml_lines(value, f"{indent}  ")
        elif isinstance(value, list):
            yield f"{indent}{name}:"
            yield from (f"{indent}- {json.dumps(item)}" for item in value)
        else:
            yield f"{indent}{name}: {json.dumps(value)}"


def _size_category(rows: int) -> str:
    """The category of the hub for so many rows."""
    bounds = (("n<1K", 10**3), ("1K<n<10K", 10**4), ("10K<n<100K", 10**5), ("100K<n<1M", 10**6))
    return next((name for name, bound in bounds if rows < bound), "1M<n<10M")
