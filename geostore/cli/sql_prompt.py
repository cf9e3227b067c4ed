"""The prompt of ``geostore sql``: editing, history and completion, by prompt_toolkit."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

from prompt_toolkit import PromptSession
from prompt_toolkit.application import get_app
from prompt_toolkit.completion import CompleteEvent, Completer, Completion
from prompt_toolkit.document import Document
from prompt_toolkit.filters import Condition
from prompt_toolkit.history import FileHistory, History, InMemoryHistory

from geostore.query.headers import question, question_names
from geostore.query.shell import Shell, is_complete

_WORDS = ("tables", "columns", "list", "help", "exit")
_BEGINNINGS = ("select", "with", "from", "describe", "summarize", "explain", "pivot", "show")
_KEYWORDS = (
    *("select", "from", "where", "group by", "order by", "limit", "having", "join", "left join"),
    *("on", "using", "as", "and", "or", "not", "null", "is", "in", "between", "like", "case"),
    *("when", "then", "else", "end", "distinct", "union all", "with", "count", "sum", "avg"),
    *("median", "min", "max", "quantile_cont", "filter", "over", "partition by", "desc", "asc"),
    *("exists", "unnest", "true", "false"),
)
_AFTER_TABLE = re.compile(
    r"\b(?:from|join|describe|summarize|table|columns|pivot|\\d)\s+\w*\Z", re.I
)
_OF_TABLE = re.compile(r"\b(\w+)\.(\w*)\Z")
_WORD = re.compile(r"\w*\Z")
_NAMES = re.compile(r"\w+")
_KEY = re.compile(
    r"secret|passw|api[_-]?key|access[_-]?key|credential|bearer|\bsk-"
    # A long word of mixed letters and digits; a hash in hex is none.
    r"|(?<![\w-])(?![0-9a-f]+(?![\w-]))(?=[\w-]*\d)(?=[\w-]*[A-Za-z])[A-Za-z0-9-]{24,}(?![\w-])",
    re.IGNORECASE,
)
"""What a statement that holds a key looks like."""


def converse(shell: Shell, *, remember: bool) -> None:
    """Ask for statements and answer them, until somebody leaves."""
    session: PromptSession[str] = PromptSession(
        "geostore> ",
        history=_history(remember),
        completer=SqlCompleter(shell),
        complete_while_typing=False,
        multiline=Condition(lambda: not is_complete(get_app().current_buffer.text)),
        prompt_continuation="     ...> ",
        enable_history_search=True,
    )
    while not shell.has_left:
        try:
            shell.feed(session.prompt())
        except KeyboardInterrupt:
            continue  # as in other shells, what was typed is thrown away
        except EOFError:
            return


def holds_a_key(statement: str) -> bool:
    """Whether a statement seems to hold a key or a password."""
    return _KEY.search(statement) is not None


def history_file() -> Path:
    """Where statements are remembered: the user's folder for state."""
    state = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    return Path(state) / "geostore" / "sql_history"


def _history(remember: bool) -> History:
    if not remember:
        return InMemoryHistory()
    file = history_file()
    with suppress(OSError, RuntimeError):  # a home that cannot be written, or none
        file.parent.mkdir(parents=True, exist_ok=True)
        # For nobody else's eyes: a condition may hold a place or a name.
        os.close(os.open(file, os.O_CREAT | os.O_APPEND | os.O_WRONLY, 0o600))
        return _WithoutKeys(str(file))
    return InMemoryHistory()


class _WithoutKeys(FileHistory):
    """A file of statements, without those that seem to hold a key."""

    def store_string(self, string: str) -> None:
        if not holds_a_key(string):
            super().store_string(string)


class SqlCompleter(Completer):
    """Tables, columns, questions with their parameters, and words of SQL and of the shell."""

    def __init__(self, shell: Shell) -> None:
        self._shell = shell

    def get_completions(
        self, document: Document, complete_event: CompleteEvent
    ) -> Iterator[Completion]:
        """What may follow, the likeliest first."""
        before = document.text_before_cursor
        match = _WORD.search(before)
        word = match[0] if match else ""
        for name in dict.fromkeys(self._names(before, document.text)):
            if name.lower().startswith(word.lower()):
                yield Completion(name, start_position=-len(word))

    def _names(self, before: str, text: str) -> Iterable[str]:
        columns = self._shell.columns
        first, *more = before.split() or [""]
        is_first = not more and not before.endswith((" ", "\n"))
        if is_first:
            return (*_WORDS, *question_names(), *_BEGINNINGS)
        if first in ("help", "columns", "\\d"):
            return (*(question_names() if first == "help" else ()), *columns)
        if first.replace("-", "_") in question_names():
            return [f"{parameter.name}=" for parameter in question(first).parameters]
        if of_table := _OF_TABLE.search(before):
            return columns.get(of_table[1], self._columns_of(text))
        if _AFTER_TABLE.search(before):
            return list(columns)
        return (*self._columns_of(text), *_KEYWORDS, *columns)

    def _columns_of(self, text: str) -> list[str]:
        """The columns of the tables that a statement names; of all where it names none yet."""
        names = set(_NAMES.findall(text))
        tables = [table for table in self._shell.columns if table in names]
        return [name for t in tables or self._shell.columns for name in self._shell.columns[t]]
