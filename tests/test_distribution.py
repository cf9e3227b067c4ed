"""The name of the distribution: on the package index, `geostore` is another project."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import geostore
from geostore.store.runs import versions

ROOT = Path(__file__).parent.parent
TEXTS = {".py", ".md", ".toml", ".txt", ".sql", ".yml", ""}
NOT_OURS = {"build", "dist", "demo", "node_modules"}
STRANGERS = re.compile(
    r"""pip\W+install\W+(?:-\S+\s+)*["']?geostore(?![-\w])  # installs the other project
    | \bgeostore\[[a-z]                                    # an extra of the other project
    """,
    re.VERBOSE,
)


def texts() -> Iterator[tuple[Path, str]]:
    """Every text file of the tree but this one, which has to name what it looks for."""
    for folder, folders, names in os.walk(ROOT):
        folders[:] = [n for n in folders if not n.startswith(".") and n not in NOT_OURS]
        for path in (Path(folder) / name for name in names):
            if path.suffix in TEXTS and path != Path(__file__):
                yield path, path.read_text(encoding="utf-8", errors="replace")


def test_the_search_sees_what_would_install_the_other_project() -> None:
    for text in (
        "pip install geostore",
        "pip install 'geostore[demo]'",
        "pip install -U geostore,",
    ):
        assert STRANGERS.search(text)
    assert not STRANGERS.search(
        "pip install geostore-distill; pip install 'geostore-distill[demo]'"
    )


def test_no_text_installs_the_other_project_of_that_name() -> None:
    read = dict(texts())
    assert ROOT / "README.md" in read
    assert [str(path) for path, text in read.items() if STRANGERS.search(text)] == []


def test_the_version_is_said_alike_everywhere() -> None:
    """By the package, by the command and in a run's row, whatever is installed beside it."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    assert project["project"]["name"] == "geostore-distill"
    assert project["project"]["scripts"] == {"geostore": "geostore.cli:main"}
    attribute = project["tool"]["setuptools"]["dynamic"]["version"]["attr"]
    assert attribute == "geostore.version.VERSION"
    shown = subprocess.run(
        [sys.executable, "-m", "geostore", "--version"], capture_output=True, text=True, check=True
    )
    assert shown.stdout == f"geostore {geostore.__version__}\n"
    assert versions()["geostore"] == geostore.__version__
