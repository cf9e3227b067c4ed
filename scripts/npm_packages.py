"""Packages of npm, each in the version and with the hash that `npm_lock.json` beside this file has.

The lock names no address: `npm pack` fetches from the registry that npm is set up for, and the hash
says whether the bytes are the right ones.
"""

from __future__ import annotations

import base64
import hashlib
import io
import json
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

LOCK = Path(__file__).parent / "npm_lock.json"


@dataclass(frozen=True)
class Package:
    """One entry of the lock."""

    name: str
    """As npm has it."""
    version: str
    """The exact version."""
    integrity: str
    """``sha512-`` and the hash of the packed package in base64, as npm writes it."""
    licence: str
    """Its SPDX identifier."""
    files: Mapping[str, Mapping[str, str]]
    """By their path in the package: the ``path`` of the copy in this repository and its ``sha256``.
    Empty where nothing is copied as it is."""


def locked() -> dict[str, Package]:
    """All packages of the lock by name."""
    entries: dict[str, dict[str, Any]] = json.loads(LOCK.read_text(encoding="utf-8"))
    return {
        name: Package(name, e["version"], e["integrity"], e["licence"], e.get("files", {}))
        for name, e in entries.items()
    }


def fetched(name: str) -> dict[str, bytes]:
    """The files of a package by their path, once its hash is the lock's."""
    package = locked()[name]
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(
            ["npm", "pack", "--silent", f"{name}@{package.version}"],
            cwd=folder,
            check=True,
            stdout=subprocess.DEVNULL,
        )
        (packed,) = (path.read_bytes() for path in Path(folder).glob("*.tgz"))
    digest = "sha512-" + base64.b64encode(hashlib.sha512(packed).digest()).decode()
    if digest != package.integrity:
        sys.exit(
            f"npm package {name} {package.version} has the hash {digest}, not {package.integrity}"
        )
    with tarfile.open(fileobj=io.BytesIO(packed)) as archive:
        files = (member for member in archive.getmembers() if member.isfile())
        return {
            member.name.removeprefix("package/"): reader.read()
            for member in files
            if (reader := archive.extractfile(member)) is not None
        }
