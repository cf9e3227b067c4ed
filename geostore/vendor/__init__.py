"""Libraries and map data of others that pages are drawn with, byte for byte as they were published.

`scripts/npm_lock.json` has their versions and hashes, `make vendor` writes them anew, and
`THIRD_PARTY.md` says under which licences they stand.
"""

from __future__ import annotations

from importlib.resources import files


def vendored(name: str) -> str:
    """The text of one file of this folder. Raises FileNotFoundError where there is none."""
    return (files(__name__) / name).read_text(encoding="utf-8")


def licences() -> str:
    """The notices of all that stands here, which every copy of it has to carry; by name."""
    notices = sorted((files(__name__) / "licences").iterdir(), key=lambda notice: notice.name)
    return "\n".join(
        f"{notice.name.removesuffix('.txt')}\n\n{notice.read_text(encoding='utf-8').strip()}\n"
        for notice in notices
    )
