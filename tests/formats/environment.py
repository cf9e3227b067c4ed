"""A trainer's own environment, outside of the clone: no two trainers fit into one.

Made once in a folder of the user's cache and used again. Everything comes from the
package index that pip is set up for. PyTorch's build for the CPU (``torch+cpu``) is
not on every index: where pip does not find it, name an index or a folder that has
it in PIP_EXTRA_INDEX_URL or PIP_FIND_LINKS.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).parents[2]
TORCH = "torch==2.13.0+cpu"
VISION = "torchvision"
"""Goes in without dependencies: its builds are each for one PyTorch, and none for this one."""

_NO_OPERATORS = """

# Added by geostore: this build's operators are for another PyTorch, and image processors need none.
if not _has_ops():
    _named = torch.library.Library("torchvision", "DEF")
    for _name in ("nms", "qnms"):
        _named.define(f"{_name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
"""
_STUDENTS = Path(__file__).with_name("make_student.py")


class InstallFailed(Exception):
    """The index has not all that a trainer requires, or it cannot be reached."""


class Environment:
    """The virtual environment of one trainer.

    folder: for all of them. name: of this one. requirements: as pip reads them.
    alone: what goes in without its dependencies, because it names more than its loaders need.
    torchvision: whether it is needed; its build is made to load beside the CPU's PyTorch.
    templates: where among the installed packages the students' published chat templates lie, for
    a trainer that brings them and knows a student by them; None: the students have their own.
    """

    def __init__(
        self,
        folder: Path,
        name: str,
        requirements: tuple[str, ...],
        *,
        alone: tuple[str, ...] = (),
        torchvision: bool = True,
        templates: str | None = None,
    ) -> None:
        self.folder = folder / name
        self.name = name
        self._requirements = (*requirements, TORCH)
        self._alone = alone
        self._torchvision = torchvision
        self._templates = templates
        self._venv = self.folder / "venv"

    def variables(self, more: Mapping[str, str] | None = None) -> dict[str, str]:
        """The process environment for what runs in it: nothing is looked up or reported outside."""
        home = self.folder / "huggingface"
        home.mkdir(parents=True, exist_ok=True)
        return {
            **{name: value for name, value in os.environ.items() if name != "PYTHONHOME"},
            "PATH": os.pathsep.join([str(self._venv / "bin"), os.environ["PATH"]]),
            "PYTHONPATH": str(ROOT),
            "PYTHONUNBUFFERED": "1",
            "HF_HOME": str(home),
            "HF_HUB_OFFLINE": "1",
            "HF_DATASETS_OFFLINE": "1",
            "TRANSFORMERS_OFFLINE": "1",
            "TOKENIZERS_PARALLELISM": "false",
            "OMP_NUM_THREADS": "1",  # on a busy machine more threads mostly wait for one another
            "CUDA_VISIBLE_DEVICES": "",
            "WANDB_MODE": "disabled",
            **(more or {}),
        }

    def command(self, name: str, *arguments: str | Path) -> list[str]:
        """A program of the environment, as a list to start it with."""
        return [str(self._venv / "bin" / name), *map(str, arguments)]

    def install(self) -> None:
        """Make it, unless it is there as the requirements want it. Raises InstallFailed."""
        mark = self.folder / "installed"
        wanted = "\n".join((*self._requirements, *self._alone))
        if mark.exists() and mark.read_text() == wanted:
            return
        print(f"installing {self.name} into {self.folder} (about 2 GB) ...", flush=True)
        start = time.monotonic()
        self.folder.mkdir(parents=True, exist_ok=True)
        mark.unlink(missing_ok=True)
        try:
            subprocess.run([sys.executable, "-m", "venv", self._venv], check=True)
            self._pip("install", *self._requirements)
            for requirement in (*self._alone, *([VISION] if self._torchvision else [])):
                self._pip("install", "--no-deps", requirement)
            self._mend()
        except subprocess.CalledProcessError as error:
            raise InstallFailed(f"{self.name} cannot be installed: {error}") from error
        mark.write_text(wanted)
        minutes = (time.monotonic() - start) / 60
        size = sum(file.lstat().st_size for file in self._venv.rglob("*")) / 1e9
        print(f"installed {self.name}: {size:.1f} GB in {minutes:.1f} minutes", flush=True)

    def versions(self, *packages: str) -> dict[str, str]:
        """The versions of packages that are installed in it."""
        script = (
            "import importlib.metadata as m, json, sys; "
            "print(json.dumps({name: m.version(name) for name in sys.argv[1:]}))"
        )
        done = subprocess.run(
            self.command("python", "-c", script, *packages),
            check=True,
            capture_output=True,
            text=True,
        )
        versions: dict[str, str] = json.loads(done.stdout)
        return versions

    def students(self) -> dict[str, Path]:
        """The folders of the tiny students by name; written by the environment's transformers."""
        folder = self.folder / "students"
        mark, wanted = folder / "made", hashlib.sha256(_STUDENTS.read_bytes()).hexdigest()
        if not mark.exists() or mark.read_text() != wanted:
            shutil.rmtree(folder, ignore_errors=True)
            (packages,) = (self._venv / "lib").glob("python3.*/site-packages")
            templates = [] if self._templates is None else [packages / self._templates]
            subprocess.run(
                self.command("python", "-m", "tests.formats.make_student", folder, *templates),
                env=self.variables(),
                check=True,
            )
            mark.write_text(wanted)
        return {path.name: path for path in sorted(folder.iterdir()) if path.is_dir()}

    def _pip(self, *arguments: str) -> None:
        pip = self.command("python", "-m", "pip", "--disable-pip-version-check", "-q")
        subprocess.run([*pip, *arguments], check=True)

    def _mend(self) -> None:
        """Let torchvision and torchaudio load: their compiled operators are for another PyTorch."""
        (packages,) = (self._venv / "lib").glob("python3.*/site-packages")
        file = packages / "torchvision" / "extension.py"
        if file.exists() and "Added by geostore" not in (text := file.read_text()):
            file.write_text(text + _NO_OPERATORS)
        for library in (packages / "torchaudio").glob("lib/*.so"):
            library.unlink()  # without it torchaudio loads, and only its operators are missing
