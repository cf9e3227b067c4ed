"""A training with ms-swift of an export, as a script that runs as it is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

from geostore.errors import ExportError
from geostore.export.files.folder import ExportFolder
from geostore.export.files.rows import RowFiles
from geostore.export.stream import ExportStream
from geostore.export.student.students import StudentName
from geostore.export.trainers.loaded_by_swift import loaded_row

SCRIPT = "train.sh"

_MODELS: Mapping[StudentName, str] = MappingProxyType(
    {
        "qwen3-vl": "Qwen/Qwen3-VL-8B-Instruct",
        "qwen2.5-vl": "Qwen/Qwen2.5-VL-7B-Instruct",
        "llava-style": "llava-hf/llava-onevision-qwen2-7b-ov-hf",
    }
)


def write_script(folder: ExportFolder, traces: ExportStream, files: RowFiles, command: str) -> None:
    """Write ``train.sh``, if there are rows. command: of ms-swift with the options of its kind of
    training."""
    if not files.by_split:
        return
    assert traces.lengths is not None  # formats with a guide have them
    training, validation = traces.stems(files.stem)
    validated = files.by_split.get(validation or "")
    options = [
        f"--model {_MODELS[traces.lengths.student.name]}",
        f"--dataset {_paths(files.by_split[training])}",
        # A validation that is not named would be cut from the training rows.
        f"--val_dataset {_paths(validated)}" if validated else "--split_dataset_ratio 0",
        f"--max_length {traces.lengths.setting}",
        "--truncation_strategy delete --strict true",
        "--agent_template hermes --loss_scale default",
    ]
    lines = " \\\n  ".join([command, *options, '--output_dir "${OUTPUT:-student}" "$@"'])
    folder.add(
        SCRIPT,
        f"""\
#!/bin/sh
# sh {SCRIPT} [further options]; they hold over those below. OUTPUT names the folder of the student.
set -e
EXPORT=$(cd "$(dirname "$0")" && pwd)
export ROOT_IMAGE_DIR="$EXPORT"
exec {lines}
""".encode(),
    )


def _paths(names: Sequence[str]) -> str:
    """Files of the export as words of the script, which is started in any folder."""
    return " ".join(f'"$EXPORT/{name}"' for name in names)


def loads(folder: Path) -> str:
    """What ms-swift's own loader takes of an export, in words; it is installed here.

    Raises ExportError where it cannot load the export.
    """
    try:
        return loaded_row(folder)
    except Exception as error:  # of ms-swift, datasets and Pillow, which have no class alike
        raise ExportError(f"ms-swift cannot load {folder}: {error}") from error


def settings_guide() -> str:
    """How the script is started and what each setting prevents, as Markdown."""
    return f"""\
```shell
pip install "ms-swift==4.6.0" "transformers<5.20" "datasets<4.8.5" qwen-vl-utils
OUTPUT=student sh /path/to/this/folder/{SCRIPT} --learning_rate 1e-5
```

Options behind the script's name hold over those in it; any of ms-swift's can stand there.

- `ROOT_IMAGE_DIR`: paths of images start at this folder. Without it ms-swift looks for them in the
  working directory.
- `--max_length` holds every row as its tokens were counted below. `--strict true` lets a row that
  is longer, or fails otherwise, end the training; without it ms-swift trains on a random other row
  in its place. `--truncation_strategy right` would cut off its end, so the answer.
- `--agent_template hermes` writes tools, calls and results as Qwen2.5-VL and Qwen3-VL read them.
  `react_en` and others write them in other words.
- `--loss_scale default`: the loss is on all replies of the teacher, but for an empty one before the
  last, of which ms-swift learns nothing. `last_round` learns what is behind a user's last
  message alone.
- `MAX_PIXELS` says nothing here: each row has its own `max_pixels` and `min_pixels`, so that boxes
  in pixels are of the images that the student sees.
- Thoughts stand in `<think>` tags. For a model that may think or not, such as Qwen3.5, ms-swift
  writes an empty thought before each reply without one; `--add_non_thinking_prefix false` learns
  replies as they stand.
"""
