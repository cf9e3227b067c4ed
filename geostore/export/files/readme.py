"""The README of an export: what it is, how to load it, and what nobody else says about it.

A format gives the part about its trainer (`FormatWriter.guide`); further parts, such as the
length of rows, come as sections of their own.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from geostore.export.files.licence import licence_of
from geostore.export.stream import ExportStream
from geostore.text.phrases import format_number_of

_NOT_SETTINGS = frozenset({"filter", "choice"})


def readme(
    traces: ExportStream,
    *,
    guide: str,
    sections: Sequence[str],
    manifest: Mapping[str, Any],
    asked: Mapping[str, Any],
    left_out: str | None,
) -> bytes:
    """The README.

    guide: how its trainer loads it. sections: further parts, each with its heading.
    manifest: of the export. asked: filter, choice and options. left_out: which traces are not in
    it and why, in words.
    """
    body = guide.strip()
    # A guide that begins with a heading of its own stands as it is.
    how = body if body.startswith("#") else f"## How to load it\n\n{body}"
    parts = [
        traces.card or "",
        "\n".join(_what_it_is(manifest, left_out)),
        how,
        *(section.strip() for section in sections),
        "\n".join(_settings(asked)),
        "\n".join(_licences(traces)),
    ]
    return ("\n\n".join(part.rstrip() for part in parts if part) + "\n").encode()


def _what_it_is(manifest: Mapping[str, Any], left_out: str | None) -> Iterator[str]:
    counts = manifest["traces"]
    yield f"# Training data: {format_number_of(manifest['count'], 'trace')} as {manifest['format']}"
    yield ""
    yield "Photos that a teacher located, with its words, its tool calls and what they gave."
    yield "Written by `geostore export`; `geostore export --check` on this folder reads it again."
    yield ""
    models = sorted({str(recipe["model"] or "not known") for recipe in manifest["recipes"]})
    recipes = ", ".join(recipe["sha256"][:8] for recipe in manifest["recipes"])
    yield f"- teacher: {', '.join(models)} (recipe {recipes})"
    names = ", ".join(dataset["name"] for dataset in manifest["datasets"])
    yield f"- photos: {names}"
    spec = manifest["reward_spec"]
    if spec is not None:
        yield f"- reward: {spec['name']} (sha256 {spec['sha256'][:16]}...)"
    for split, count in manifest.get("traces_by_split", {}).items():
        yield f"- {split}: {format_number_of(count, 'trace')}"
    yield f"- left out: {left_out or 'nothing'}"
    if counts["unproven"]:
        unproven = format_number_of(counts["unproven"], "trace")
        yield f"- images of {unproven} are inferred, and not proven"
    yield "- `SHA256SUMS` has the hash of every file, `manifest.json` recipes, filter and counts"
    yield ""
    yield "Which traces of the store were kept:"
    yield ""
    yield "```sql"
    yield f"select trace from trace_results where {manifest['filter_sql']}"
    yield "```"


def _settings(asked: Mapping[str, Any]) -> Iterator[str]:
    yield "## Options"
    yield ""
    for name, value in {**asked.get("choice", {}), **asked}.items():
        if name not in _NOT_SETTINGS and value not in (None, [], ()):
            yield f"- {name}: `{value}`"


def _licences(traces: ExportStream) -> Iterator[str]:
    yield "## Licence"
    yield ""
    for facts in traces.scope.datasets:
        licence = licence_of(facts, traces.options.dataset_path)
        if licence is None:
            yield (
                f"- The licence of the photos of {facts.name} is not known: the dataset says none "
                "that could be read. Whoever passes them on, or trains on them, has to find it out."
            )
        else:
            yield f"- The photos of {facts.name}: {licence}, as its dataset says."
    yield "- The teacher's words stand under the terms of whoever serves it."
