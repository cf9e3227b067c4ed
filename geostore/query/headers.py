"""The named questions, read from the headers of their files in ``sql/analytics``.

A header is the comment that a file begins with. Lists, help and docs are made from it, so it
is read strictly: a word out of place is an error, and a test reads every file. Nothing here
imports DuckDB, so that lists and help answer at once.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from itertools import takewhile
from typing import Literal, TypeAlias, get_args

from geostore.errors import QueryError
from geostore.query.parameters import Value, check_value, read_value
from geostore.sqlfiles import load_sql, sql_names
from geostore.text.nearest import did_you_mean

VIEWS = "views"
"""The file of the views that all questions read; it is no question itself."""

Type: TypeAlias = Literal["number", "integer", "text", "numbers", "integers"]

_SECTIONS = ("Grain", "Parameters", "Units", "Columns", "Dialect")
_OPTIONAL = "Columns"
_SECTION = re.compile(rf"({'|'.join(_SECTIONS)}): ?(.*)")
_DIALECT = re.compile(r"DuckDB\b.*\.")
_ENTRY = re.compile(r"  (\S+(?: \S+)*)(?:  +(\S.*))?")
_COLUMN_NAMES = re.compile(r"[\w*]+(, [\w*]+)*")
_PARAMETER_NAME = re.compile(r"[a-z]\w*")
_PARAMETER = re.compile(
    rf"(?P<type>{'|'.join(get_args(Type))})"
    r"(?: from (?P<least>-?[\d.]+)(?: to (?P<most>-?[\d.]+))?|: (?P<choices>\w+(?: or \w+)+))?"
    r", (?:no default|default (?P<default>.+?)): (?P<words>\S.*)"
)
_BOUNDS = ("least", "most")
_NAME = re.compile(r"[A-Za-z0-9_]+")


@dataclass(frozen=True, slots=True)
class Parameter:
    """A value that a question takes; the statement names it with a dollar: ``$km``."""

    name: str
    """Without the dollar."""
    type: Type
    """number: a fraction or a whole number; integer: a whole one; numbers, integers: a list of
    them, each once, written as 1,25,200."""
    default: Value
    """What it is where nobody gives it; None for null, and where `is_required`."""
    is_required: bool
    """Whether it has no default and has to be given."""
    words: str
    """What it means, in a sentence."""
    least: float | None = None
    """The least that a number may be, or each of several; None for no bound."""
    most: float | None = None
    """The most, likewise."""
    choices: tuple[str, ...] = ()
    """The words that a text may be; empty for any."""

    @property
    def kind(self) -> str:
        """Type, bounds and default as the header writes them: ``number from 0, default 25``."""
        bounds = f" from {self.least:.15g}" if self.least is not None else ""
        bounds += f" to {self.most:.15g}" if self.most is not None else ""
        choices = f": {' or '.join(self.choices)}" if self.choices else ""
        return f"{self.type}{bounds}{choices}, {self.shown_default}"

    @property
    def shown_default(self) -> str:
        """``no default``, or ``default`` and the value as --param takes it."""
        if self.is_required:
            return "no default"
        if isinstance(self.default, tuple):
            return f"default {','.join(f'{number:g}' for number in self.default)}"
        if isinstance(self.default, float):
            return f"default {self.default:g}"
        return f"default {'none' if self.default is None else self.default}"


@dataclass(frozen=True, slots=True)
class Entry:
    """A column or several of an answer with what they hold, or a paragraph between them."""

    names: str
    """With commas between several; empty for a paragraph."""
    words: str
    """On one line."""


@dataclass(frozen=True, slots=True)
class Question:
    """A named question: what its header says, and its statement."""

    name: str
    """As `geostore query NAME` takes it."""
    title: str
    """The question that it answers, in one sentence."""
    grain: str
    """What one row of the answer is, and the order of the rows."""
    parameters_note: str
    """What else the answer depends on, such as the reward; empty where on nothing."""
    parameters: tuple[Parameter, ...]
    """In the order of the header."""
    units: str
    """Of the columns."""
    columns: tuple[Entry, ...]
    """What the columns hold; those whose names say it are left out."""
    statement: str
    """SQL of DuckDB's, without the header."""


def questions() -> tuple[Question, ...]:
    """All named questions, by name."""
    return tuple(map(question, question_names()))


@cache
def question_names() -> tuple[str, ...]:
    """The names of all questions, sorted."""
    return tuple(name for name in sql_names("analytics") if name != VIEWS)


def find_question(statement_or_name: str) -> Question | None:
    """The question where one word is given; None for a statement. Raises QueryError."""
    word = statement_or_name.strip()
    return question(word) if _NAME.fullmatch(word.replace("-", "_")) else None


def question(name: str) -> Question:
    """The question of this name. Raises QueryError, with the nearest name, where there is none."""
    names = question_names()
    file = name.replace("-", "_")
    if file not in names:
        raise QueryError(
            f"no query {name!r}{did_you_mean(file, names)}; there are: {', '.join(names)}"
        )
    return _read(file)


@cache
def _read(name: str) -> Question:
    return read_question(name, load_sql("analytics", name))


def read_question(name: str, text: str) -> Question:
    """A question from the text of its file. Raises ValueError, which says what is out of place."""
    lines = list(takewhile(lambda line: line.startswith("--"), text.splitlines()))
    header = [_uncommented(name, line) for line in lines]
    statement = "\n".join(text.splitlines()[len(lines) :]).strip()
    title, *rest = header or [""]
    if not title.endswith((".", "?")):
        raise ValueError(f"{name}: the first line is no sentence: {title!r}")
    if not statement:
        raise ValueError(f"{name}: no statement follows the header")
    sections = _sections(name, rest)
    if not _DIALECT.fullmatch(" ".join(sections["Dialect"])):
        raise ValueError(f"{name}: the dialect is DuckDB")
    note, entries = _entries(name, sections["Parameters"])
    return Question(
        name=name,
        title=title,
        grain=_prose(name, "Grain", sections["Grain"]),
        parameters_note="" if note == "none." else note,
        parameters=_parameters(name, entries),
        units=_prose(name, "Units", sections["Units"]),
        columns=_columns(name, sections.get("Columns", [])),
        statement=statement,
    )


def _uncommented(name: str, line: str) -> str:
    if not line.startswith("-- ") or line != line.rstrip():
        raise ValueError(f"{name}: a line of a header is '-- ' and words, and not {line!r}")
    return line.removeprefix("-- ")


def _sections(name: str, lines: Sequence[str]) -> dict[str, list[str]]:
    sections: dict[str, list[str]] = {}
    for line in lines:
        if match := _SECTION.fullmatch(line):
            if match[1] in sections:
                raise ValueError(f"{name}: {match[1]} stands twice")
            sections[match[1]] = [match[2]] if match[2] else []
        elif not sections:
            raise ValueError(f"{name}: the question is one line, and the next one begins Grain:")
        else:
            list(sections.values())[-1].append(line)
    if list(sections) != [s for s in _SECTIONS if s in sections or s != _OPTIONAL]:
        raise ValueError(
            f"{name}: a header has {', '.join(_SECTIONS)} in this order, {_OPTIONAL} perhaps not"
        )
    return sections


def _prose(name: str, section: str, lines: Sequence[str]) -> str:
    if not lines or any(line.startswith(" ") for line in lines):
        raise ValueError(f"{name}: {section} is a text without indentation")
    return " ".join(lines)


def _entries(name: str, lines: Sequence[str]) -> tuple[str, list[Entry]]:
    """The text that a section begins with, and what follows: entries, and texts between them."""
    entries: list[Entry] = []
    for line in lines:
        last = entries[-1] if entries else None
        if line.startswith("   "):
            if last is None or not last.names:
                raise ValueError(f"{name}: nothing goes on in {line!r}")
            entries[-1] = Entry(last.names, f"{last.words} {line.strip()}".strip())
        elif line.startswith(" "):
            if not (match := _ENTRY.fullmatch(line)):
                raise ValueError(f"{name}: no name and words with two spaces between: {line!r}")
            entries.append(Entry(match[1], match[2] or ""))
        elif last is not None and not last.names:
            entries[-1] = Entry("", f"{last.words} {line}")
        else:
            entries.append(Entry("", line))
    for entry in entries:
        if not entry.words:
            raise ValueError(f"{name}: nothing says what {entry.names} is")
    if entries and not entries[0].names:
        return entries[0].words, entries[1:]
    return "", entries


def _columns(name: str, lines: Sequence[str]) -> tuple[Entry, ...]:
    first, entries = _entries(name, lines)
    for entry in entries:
        if entry.names and not _COLUMN_NAMES.fullmatch(entry.names):
            raise ValueError(f"{name}: {entry.names!r} is no name of a column")
    return (*([Entry("", first)] if first else []), *entries)


def _parameters(name: str, entries: Sequence[Entry]) -> tuple[Parameter, ...]:
    parameters = [_parameter(name, entry) for entry in entries]
    if len({parameter.name for parameter in parameters}) < len(parameters):
        raise ValueError(f"{name}: a parameter stands twice")
    return tuple(parameters)


def _parameter(name: str, entry: Entry) -> Parameter:
    match = _PARAMETER.fullmatch(entry.words)
    if not match or not _PARAMETER_NAME.fullmatch(entry.names):
        raise ValueError(
            f"{name}: a parameter is a name, then 'TYPE, default VALUE: words', and not "
            f"{entry.names!r}, {entry.words!r}"
        )
    kind: Type = match["type"]  # type: ignore[assignment]  # one of them, by the expression
    least, most = (None if match[bound] is None else float(match[bound]) for bound in _BOUNDS)
    choices = tuple(match["choices"].split(" or ")) if match["choices"] else ()
    is_required, words = match["default"] is None, match["words"]
    without = Parameter(entry.names, kind, None, is_required, words, least, most, choices)
    if match["default"] in (None, "none"):
        return without
    try:
        default = check_value(without, read_value(entry.names, kind, match["default"]))
    except QueryError as error:
        raise ValueError(f"{name}: {error}") from error
    return replace(without, default=default)
