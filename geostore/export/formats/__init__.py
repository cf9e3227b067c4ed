"""The formats of an export, one module each.

A module has its name in `Format`, its `FormatRules`, and a function that writes a stream of
`ExportedTrace` into a folder and returns how many traces it wrote; the formats of trainers
are written from `export.dialogue`, their files with `export.rows`. To add one, write its
module and list it here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from geostore.errors import ExportError
from geostore.export.folder import ExportFolder
from geostore.export.formats import (
    chat,
    jsonl,
    sharegpt,
    swift,
    trace,
    trl,
    trl_turns,
    verl_sft,
    verl_sft_text,
)
from geostore.export.options import Format, FormatRules
from geostore.export.stream import ExportStream
from geostore.text.nearest import did_you_mean


@dataclass(frozen=True, slots=True)
class FormatWriter:
    """A format: what it takes, and the function that writes it."""

    rules: FormatRules
    """Which options and images it takes."""
    write: Callable[[ExportStream, ExportFolder], int]
    """Writes the traces and returns how many."""
    guide: Callable[[ExportStream], str] | None = None
    """How its trainer loads the export, with the exact settings, as Markdown for the export's
    README; called when all traces are written. None: it has no README."""


FORMATS: Mapping[Format, FormatWriter] = MappingProxyType(
    {
        "trace": FormatWriter(trace.RULES, trace.write_trace_files),
        "jsonl": FormatWriter(jsonl.RULES, jsonl.write_jsonl),
        "sharegpt": FormatWriter(sharegpt.RULES, sharegpt.write_sharegpt, sharegpt.guide),
        "trl": FormatWriter(trl.RULES, trl.write_trl, trl.guide),
        "trl-turns": FormatWriter(trl_turns.RULES, trl_turns.write_trl_turns, trl_turns.guide),
        "verl-sft": FormatWriter(verl_sft.RULES, verl_sft.write_verl_sft, verl_sft.guide),
        "verl-sft-text": FormatWriter(
            verl_sft_text.RULES, verl_sft_text.write_verl_sft_text, verl_sft_text.guide
        ),
        "swift": FormatWriter(swift.RULES, swift.write_swift, swift.guide),
        "chat": FormatWriter(chat.RULES, chat.write_chat, chat.guide),
    }
)
"""From a format's name to what writes it."""


def writer_of(name: str) -> FormatWriter:
    """What writes a format. Raises ExportError for a name that none has."""
    for format, writer in FORMATS.items():
        if format == name:
            return writer
    raise ExportError(
        f"there is no format {name!r}{did_you_mean(name, FORMATS)}; choose one of "
        f"{', '.join(FORMATS)}"
    )
