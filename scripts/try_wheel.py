"""Builds the wheel and tries it in an environment that holds nothing else of the project.

An editable install finds files that a wheel may have left out: the SQL, the
gazetteer. So the wheel is installed with what it requires and no more, and the
demo is run from another folder.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import venv
from pathlib import Path

ROOT = Path(__file__).parent.parent
PIP = ("-m", "pip", "--quiet", "--disable-pip-version-check")


def main() -> None:
    """Build, install, run; the exit code is that of the first step that fails."""
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        run(sys.executable, *PIP, "wheel", "--no-deps", "--wheel-dir", place, ROOT)
        (wheel,) = place.glob("geostore_distill-*.whl")
        venv.create(place / "env", with_pip=True)
        python = place / "env" / "bin" / "python"
        run(python, *PIP, "install", "--constraint", ROOT / "constraints.txt", wheel)
        run(place / "env" / "bin" / "geostore", "demo", "demo", "--samples", "6", cwd=place)
        print(f"the wheel works: {wheel.name}, {wheel.stat().st_size:,} bytes")


def run(*command: str | Path, cwd: Path = ROOT) -> None:
    """Run a command; its output is shown only where it fails."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith("OPENAI_")}
    found = subprocess.run(
        [str(part) for part in command],
        cwd=cwd,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    if found.returncode:
        print(found.stdout)
        print(f"failed with exit code {found.returncode}: {' '.join(map(str, command))}")
        sys.exit(found.returncode)


if __name__ == "__main__":
    main()
