"""The formats of an export, one module each.

A module has its name in `Format`, its `FormatRules`, and a function that writes a stream of
`ExportedTrace` into a folder and returns how many traces it wrote; the formats of trainers
are written from `export.student.dialogue`, their files with `export.files.rows`. To add one,
write its module and list it here.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from geostore.errors import ExportError
from geostore.export.formats import (
    chat,
    hf,
    jsonl,
    sharegpt,
    swift,
    trace,
    trl,
    trl_rl,
    trl_turns,
    verl_rl,
    verl_sft,
    verl_sft_text,
)
from geostore.export.formats.pairs import PAIR_WRITERS, pair_writer
from geostore.export.options import ExportOptions, Format
from geostore.export.trainers import swift_training
from geostore.export.trainers.loaded_by_verl import load_conversation, load_environment
from geostore.export.trainers.trl_messages import loads as loaded_by_trl
from geostore.export.writer import FormatWriter
from geostore.text.nearest import did_you_mean

FORMATS: Mapping[Format, FormatWriter] = MappingProxyType(
    {
        "trace": FormatWriter(trace.RULES, trace.write_trace_files),
        "jsonl": FormatWriter(jsonl.RULES, jsonl.write_jsonl),
        "sharegpt": FormatWriter(
            sharegpt.RULES, sharegpt.write_sharegpt, sharegpt.guide, loads=sharegpt.loads
        ),
        "trl": FormatWriter(trl.RULES, trl.write_trl, trl.guide, loads=loaded_by_trl),
        "trl-turns": FormatWriter(
            trl_turns.RULES, trl_turns.write_trl_turns, trl_turns.guide, loads=loaded_by_trl
        ),
        "trl-rl": FormatWriter(
            trl_rl.RULES, trl_rl.write_trl_rl, trl_rl.guide, loads=loaded_by_trl
        ),
        "verl-sft": FormatWriter(
            verl_sft.RULES, verl_sft.write_verl_sft, verl_sft.guide, loads=load_conversation
        ),
        "verl-sft-text": FormatWriter(
            verl_sft_text.RULES,
            verl_sft_text.write_verl_sft_text,
            verl_sft_text.guide,
            loads=load_conversation,
        ),
        "verl-rl": FormatWriter(
            verl_rl.RULES, verl_rl.write_verl_rl, verl_rl.guide, loads=load_environment
        ),
        "swift": FormatWriter(
            swift.RULES, swift.write_swift, swift.guide, loads=swift_training.loads
        ),
        "chat": FormatWriter(chat.RULES, chat.write_chat, chat.guide),
        "hf": FormatWriter(hf.RULES, hf.write_hf, hf.guide),
        "pairs": PAIR_WRITERS["swift"],
    }
)
"""From a format's name to what writes it; of ``pairs``, each trainer has its own."""


def writer_of(options: ExportOptions) -> FormatWriter:
    """What writes a format. Raises ExportError for a name that none has."""
    if options.format == "pairs":
        return pair_writer(options.pairs_for)
    for format, writer in FORMATS.items():
        if format == options.format:
            return writer
    raise ExportError(
        f"there is no format {options.format!r}{did_you_mean(options.format, FORMATS)}; choose one "
        f"of {', '.join(FORMATS)}"
    )
