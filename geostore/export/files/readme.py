"""The README of an export: what it is, how to load it, and what nobody else says about it.

A format gives the part about its trainer (`FormatWriter.guide`); further parts, such as the
length of rows, come as sections of their own.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from geostore.export.files.choice_words import choice_lines, option_lines
from geostore.export.files.licence import licence_of
from geostore.export.options import FormatRules
from geostore.export.stream import ExportStream
from geostore.store import Choice
from geostore.text.markdown import wrap_markdown
from geostore.text.phrases import format_number_of


def readme(
    traces: ExportStream,
    *,
    guide: str,
    sections: Sequence[str],
    manifest: Mapping[str, Any],
    rules: FormatRules,
    choice: Choice,
    left_out: str | None,
) -> bytes:
    """The README.

    guide: how its trainer loads it. sections: further parts, each with its heading.
    manifest: of the export. rules: of its format. choice: which traces were compared and kept.
    left_out: which traces are not in it and why, in words.
    """
    body = guide.strip()
    # A guide that begins with a heading of its own stands as it is.
    how = body if body.startswith("#") else f"## How to load it\n\n{body}"
    parts = [
        "\n".join(_what_it_is(manifest, rules, choice, left_out)),
        how,
        *(section.strip() for section in sections),
        "\n".join(_settings(traces, rules)),
        "\n".join(_licences(traces)),
    ]
    text = wrap_markdown("\n\n".join(part.rstrip() for part in parts if part))
    card = f"{traces.card.rstrip()}\n\n" if traces.card else ""
    return f"{card}{text}\n".encode()


def _what_it_is(
    manifest: Mapping[str, Any], rules: FormatRules, choice: Choice, left_out: str | None
) -> Iterator[str]:
    counts = manifest["traces"]
    number = format_number_of(manifest["count"], "trace")
    if rules.has_prompts_alone:
        yield f"# Training data: the prompts of {number} as {manifest['format']}"
        yield ""
        yield "Photos for a student to locate: what a teacher was asked, without a word of its own."
    else:
        yield f"# Training data: {number} as {manifest['format']}"
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
    if manifest["filter"].get("where"):
        yield "To see which traces were kept, ask the store with `sqlite3`, whose SQL `--where` is:"
    else:
        yield "To see which traces were kept, ask the store with `geostore query` or `sqlite3`:"
    yield ""
    yield "```sql"
    yield f"select trace from trace_results where {manifest['filter_sql']}"
    yield "```"
    choices = list(choice_lines(choice))
    if choices:
        yield ""
        yield "And of those, one after another:"
        yield ""
        yield from (f"- {line}" for line in choices)


def _settings(traces: ExportStream, rules: FormatRules) -> Iterator[str]:
    yield "## Options"
    yield ""
    yield from (f"- {line}" for line in option_lines(traces.options, rules, traces.splits))


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
