"""Help for one named question, made from its header."""

from __future__ import annotations

from collections.abc import Iterable

from geostore.query.headers import Entry, Question
from geostore.text.terminal import text_width, wrap_with_indent, wrap_words

_LONGEST_NAME = 22  # columns; a longer name stands above its words


def format_question(question: Question, width: int | None) -> str:
    """What it answers, and its grain, parameters, units and columns. width: None for no limit."""
    usage = f"geostore query {question.name}"
    if question.parameters:
        usage += " --param NAME=VALUE"
    parts = [
        [usage],
        wrap_words(question.title, width),
        _section("Grain", question.grain, (), width),
    ]
    if question.parameters or question.parameters_note:
        values = [Entry(p.name, f"{p.kind}: {p.words}") for p in question.parameters]
        parts.append(_section("Parameters", question.parameters_note, values, width))
    parts.append(_section("Units", question.units, (), width))
    if question.columns:
        parts.append(_section("Columns", "", question.columns, width))
    return "\n\n".join("\n".join(part) for part in parts)


def _section(heading: str, text: str, entries: Iterable[Entry], width: int | None) -> list[str]:
    entries = list(entries)
    if not text and entries and not entries[0].names:
        text = entries.pop(0).words
    lines = wrap_with_indent(text, width, first=f"{heading}: ", later="  ")
    short = [columns for e in entries if (columns := text_width(e.names)) <= _LONGEST_NAME]
    margin = " " * (max(short, default=0) + 4)
    for entry in entries:
        names = f"  {entry.names}"
        if not entry.names:
            lines += wrap_with_indent(entry.words, width, first="  ", later="  ")
        elif len(names) + 2 <= len(margin):
            first = names.ljust(len(margin))
            lines += wrap_with_indent(entry.words, width, first=first, later=margin)
        else:
            lines += [names, *wrap_with_indent(entry.words, width, first=margin, later=margin)]
    return lines
