"""Writes the generated pages of docs/: the schema, the commands, the named queries.

Each is made from what the program itself says, so that none can drift from it;
a test compares the files with what this makes.
"""

from __future__ import annotations

import re
import sqlite3
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import typer

from geostore.cli import app
from geostore.query.headers import VIEWS, Question, questions
from geostore.query.schema_words import words_of_table
from geostore.sqlfiles import load_sql
from geostore.store import Store

ROOT = Path(__file__).parent.parent
MADE = "<!-- Made by `make docs`; changes here are overwritten. -->\n"
HELP_WIDTH = 96
Command = typer.core.TyperGroup | typer.core.TyperCommand


def schema_page() -> str:
    """docs/schema.md: every table and view of a new store, with its own comments."""
    with (
        tempfile.TemporaryDirectory() as folder,
        Store.open(Path(folder) / "geostore.db", create=True) as store,
    ):
        parts = [
            _table(store.db.connection, name) for name in _tables_and_views(store.db.connection)
        ]
    intro = (
        "# The schema of a store\n\n"
        "A store is one SQLite file. This is what `geostore` makes of an empty one: the statements "
        "as SQLite keeps them, with each table's natural key and its references. Times are "
        "ISO-8601 UTC text, JSON columns hold canonical JSON, and the tables are STRICT.\n\n"
        "A trace takes about 1.76 times the bytes of its text (`benchmarks/store_size.py`: "
        "1,500 traces of three turns with 1 KB each, 5.7 KB for 3.2 KB). Beside the text: "
        "0.17 is room that SQLite leaves in the pages of turns; 0.18 hashes in hex, half of "
        "which blobs would save; 0.08 times as text, of which whole numbers would save two "
        "thirds; 0.04 the arguments of calls, as written and as read; 0.12 indexes; the rest "
        "counts, sizes, names and the headers of rows. Hashes and times stay text, and both "
        "forms of arguments stay, which costs 0.16 in all: whoever opens the file with "
        "sqlite3 or Datasette reads, compares and searches them as they are. The usage object of "
        "a turn is kept as the server sent it, which takes 80 bytes for three counts and up to "
        "470 for those of OpenAI and OpenRouter, with details.\n"
    )
    return "\n".join([MADE + intro, *parts])


def _tables_and_views(connection: sqlite3.Connection) -> list[str]:
    found = connection.execute(
        "select name from sqlite_master where type in ('table', 'view')"
        " and name not like '\\_%' escape '\\' and name not like 'sqlite%' order by rowid"
    )
    return [row["name"] for row in found]


def _table(connection: sqlite3.Connection, name: str) -> str:
    comment = words_of_table(name)
    rows = connection.execute(
        "select sql from sqlite_master where tbl_name = ? and sql is not null order by rowid",
        (name,),
    )
    statements = ";\n\n".join(row["sql"] for row in rows)
    count = len(connection.execute(f"pragma foreign_key_list({name})").fetchall())
    references = f" Foreign keys: {count}." if count else ""
    return f"## {name}\n\n{comment}{references}\n\n```sql\n{statements};\n```\n"


def commands_page() -> str:
    """docs/commands.md: the help of every command, as it is printed."""
    commands = _with_subcommands(typer.main.get_command(app), "geostore")
    pages = [_help(command, name) for command, name in commands]
    intro = (
        "# The commands\n\n"
        "What `--help` prints. Exit codes: 0 done, 1 error, 2 a wrong option, 3 stopped with "
        "work left, 4 done but many traces failed ([runs.md](runs.md#exit-codes)), 130 another "
        "command that Ctrl-C ended.\n"
    )
    return "\n".join([MADE + intro, *pages])


def _with_subcommands(command: object, name: str) -> Iterator[tuple[Command, str]]:
    """A command and all below it with their full names, each before its own subcommands."""
    assert isinstance(command, Command)
    yield command, name
    if isinstance(command, typer.core.TyperGroup):
        for own_name, below in sorted(command.commands.items()):
            yield from _with_subcommands(below, f"{name} {own_name}")


def _help(command: Command, name: str) -> str:
    context = command.make_context(
        name,
        [],
        resilient_parsing=True,
        terminal_width=HELP_WIDTH,
        max_content_width=HELP_WIDTH,
    )
    text = command.get_help(context)
    lines = "\n".join(line.rstrip() for line in text.splitlines())
    return f"## {name}\n\n```text\n{lines.strip()}\n```\n"


def queries_page() -> str:
    """docs/queries.md: the named queries and the views, each with its statement."""
    intro = (
        "# The queries\n\n"
        "`geostore query NAME` runs one of these, and `geostore query NAME --help` shows what "
        "stands here about it; `geostore query 'select ...'` anything else that "
        "reads: select, with, from, values, pivot, describe, summarize, show tables, explain. A "
        "longer statement may stand in a file (`geostore query -f FILE`) or be piped in (`... | "
        "geostore query`). The statements are DuckDB's, over the store's tables and the views of "
        "[views](#views).\n\n"
        "A parameter stands in a statement with a dollar (`$km`) and is given as `--param km=50`. "
        "Its value is bound, never pasted into the text.\n\n"
        "On a terminal a table that is too wide folds or turns, and long text is wrapped, so that "
        "no line is wider and no word is broken; an interval stands in brackets behind its number, "
        "whose columns are `..._low` and `..._high` elsewhere. In a file or a pipe each row is one "
        "line, for "
        "grep and `less -S`, unless COLUMNS says how wide lines may be. There text beyond 80 "
        "characters is cut; the other formats (`--format csv`, `json`, `jsonl`, `markdown`, "
        "`parquet`) never fold or cut anything, and hold numbers in full precision. `--output "
        "answer.parquet` writes a file in the format of its suffix, and replaces it only once all "
        "is written. `--limit 100` holds for any statement. Rows are written as they are read, so "
        "but for a table and markdown an answer "
        "of millions of rows needs no memory.\n"
    )
    views = f"## {VIEWS}\n\n```sql\n{load_sql('analytics', VIEWS).strip()}\n```\n"
    return "\n".join([MADE + intro, *map(_question, questions()), views])


def _question(question: Question) -> str:
    parts = [f"## {question.name}", _plain(question.title), f"Grain: {_plain(question.grain)}"]
    if question.parameters_note:
        parts.append(f"Depends on: {_plain(question.parameters_note)}")
    if question.parameters:
        rows = [f"| `{p.name}` | {p.kind} | {_plain(p.words)} |" for p in question.parameters]
        parts.append("\n".join(["| parameter | type | meaning |", "|---|---|---|", *rows]))
    parts.append(f"Units: {_plain(question.units)}")
    if question.columns:
        parts.append("Columns:")
    for entry in question.columns:
        names = ", ".join(f"`{name}`" for name in entry.names.split(", "))
        if not entry.names:
            parts.append(_plain(entry.words))
        elif parts[-1].startswith("- "):
            parts[-1] += f"\n- {names}: {_plain(entry.words)}"
        else:
            parts.append(f"- {names}: {_plain(entry.words)}")
    parts.append(f"```sql\n{question.statement}\n```")
    return "\n\n".join(parts) + "\n"


def _plain(text: str) -> str:
    """A text whose characters mean nothing to Markdown."""
    return re.sub(r"([*|<])", r"\\\1", text)


PAGES: dict[str, Callable[[], str]] = {
    "schema.md": schema_page,
    "commands.md": commands_page,
    "queries.md": queries_page,
}


def main() -> None:
    """Write all pages."""
    for name, page in PAGES.items():
        (ROOT / "docs" / name).write_text(page(), encoding="utf-8")
        print(f"wrote docs/{name}")


if __name__ == "__main__":
    main()
