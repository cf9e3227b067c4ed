"""Write the copies of npm packages that `npm_lock.json` names: `make vendor`.

`geostore/vendor` holds what pages draw with, `tests/axe` what only tests read. A copy is compared
with the lock's sha256 before anything is written, so the same lock gives the same bytes.

    python scripts/vendor.py
"""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path

from npm_packages import Package, fetched, locked

ROOT = Path(__file__).parents[1]


def main() -> None:
    """Fetch, compare, write; stops at the first file that is not the lock's."""
    copies = {
        ROOT / place["path"]: checked(package, files, path)
        for package in locked().values()
        if package.files
        for files in [fetched(package.name)]
        for path, place in package.files.items()
    }
    for copy, data in sorted(copies.items()):
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_bytes(data)
        print(f"{len(data):>9,} bytes  {copy.relative_to(ROOT)}")


def checked(package: Package, files: dict[str, bytes], path: str) -> bytes:
    """One file of a package, if it is there and has the lock's hash."""
    if path not in files:
        sys.exit(f"npm package {package.name} {package.version} has no file {path}")
    digest = hashlib.sha256(files[path]).hexdigest()
    if digest != package.files[path]["sha256"]:
        sys.exit(f"{path} of npm package {package.name} has the sha256 {digest}, not the lock's")
    return files[path]


if __name__ == "__main__":
    main()
