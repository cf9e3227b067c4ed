"""Names the files of each trace in an export.

``trace_00017.json``: the row number in five digits or more. The first 8 hex of
the recipe's hash follow where the export holds several recipes, and
``_r<rollout>`` for rollouts after the first. Where it holds several datasets,
each has a folder of its name. An image file has the name of its hash, as in
``images/3f/3fa1...c2.jpg``, so that a photo of eight rollouts is one file.
"""

from __future__ import annotations

import re
from collections import Counter

from geostore.export.images import SUFFIXES
from geostore.identity import content_hash
from geostore.records import DatasetFacts, SentImage, StoredTrace
from geostore.store import Scope


class Layout:
    """Names for the traces of one export."""

    def __init__(self, scope: Scope) -> None:
        self._several_recipes = len(scope.recipes) > 1
        names = {_identity(facts): _file_name(facts.name) for facts in scope.datasets}
        times = Counter(name.lower() for name in names.values())
        self._folders = {
            identity: ""
            if len(names) == 1
            else f"{name}/"
            if times[name.lower()] == 1
            else f"{name}-{_file_name(identity)[:16]}/"
            for identity, name in names.items()
        }

    def folder(self, trace: StoredTrace) -> str:
        """The folder of a trace's files: empty, or with ``/`` at its end."""
        return self._folders[_identity(trace.dataset)]

    def stem(self, trace: StoredTrace) -> str:
        """The name of a trace's file without suffix and folder."""
        stem = f"trace_{trace.key.sample_index:05d}"
        if self._several_recipes:
            stem += f"_{trace.key.recipe_sha256[:8]}"
        if trace.key.rollout > 1:
            stem += f"_r{trace.key.rollout}"
        return stem


def image_path(image: SentImage) -> str:
    """The path of an image's file in the export."""
    return f"images/{image.sha256[:2]}/{image.sha256}{SUFFIXES[image.mime]}"


def _identity(facts: DatasetFacts) -> str:
    """The fingerprint of a dataset, or the hash of its path where it was never opened."""
    return facts.fingerprint or content_hash(facts.path)


def _file_name(name: str) -> str:
    """The name without characters that could lead out of the folder."""
    return re.sub(r"[^A-Za-z0-9_.-]+", "_", name).lstrip(".") or "dataset"
