"""Brings a store's schema up to date: the files of sql/schema, in order, once each.

All missing steps and the record of them share one transaction, so a store is
never between two versions. From the first release on, steps are only added: a
store whose steps are not the first of these has a schema that this geostore does
not know, and it is refused, because writing to it could break what it promises.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from geostore.errors import StoreError, StoreVersionError
from geostore.sqlfiles import load_sql, sql_names

if TYPE_CHECKING:
    from sqlite_utils import Database

MIGRATION_SET = "geostore"
_RECORD = "_sqlite_migrations"


def migrate(connection: sqlite3.Connection, path: Path) -> list[str]:
    """Apply what is missing; the names of the steps taken.

    Raises StoreError where the file is another program's, StoreVersionError
    where its schema is newer or not known, sqlite3.Error where SQLite refuses.
    """
    missing = missing_steps(applied_migrations(connection, path), path)
    if missing:
        _apply(connection)
    return missing


def missing_steps(applied: list[str], path: Path) -> list[str]:
    """The steps that a store with these lacks, in order.

    Raises StoreVersionError where its schema is newer or not known.
    """
    known = list(sql_names("schema"))
    if unknown := [name for name in applied if name not in known]:
        raise StoreVersionError(
            f"the schema of {path} is newer than this geostore: it has step {unknown[-1]}, which "
            "is not known here; upgrade geostore, or name another store"
        )
    if applied != known[: len(applied)]:
        raise StoreVersionError(
            f"the schema of {path} is of no geostore: its steps are {', '.join(applied)}, and not "
            f"the first of {', '.join(known)}; name another store, or restore this one from a copy"
        )
    return known[len(applied) :]


def applied_migrations(connection: sqlite3.Connection, path: Path) -> list[str]:
    """The steps a file has had; [] for an empty file. Raises StoreError for a stranger's."""
    tables = {
        row[0] for row in connection.execute("select name from sqlite_master where type = 'table'")
    }
    if _RECORD in tables:
        steps = connection.execute(
            f"select name from {_RECORD} where migration_set = ? order by rowid", (MIGRATION_SET,)
        )
        applied = [str(row[0]) for row in steps]
        if applied:
            return applied
    if tables:
        names = sorted(tables)[:5]
        raise StoreError(
            f"{path} is a SQLite file of another program (tables: {', '.join(names)}); "
            "name a store of geostore's, or a file that is not there yet"
        )
    return []


def _apply(connection: sqlite3.Connection) -> None:
    # Imported here: it takes half a second, and most stores are up to date.
    from sqlite_utils import Database
    from sqlite_utils.migrations import Migrations

    steps = Migrations(MIGRATION_SET)
    for name in sql_names("schema"):

        def step(db: Database, /, sql: str = load_sql("schema", name)) -> None:
            # Not executescript, which would commit the transaction it is called in.
            for statement in _statements(sql):
                db.conn.execute(statement)

        steps(name=name)(step)
    # One transaction around all: of two processes that start at once, the second waits here,
    # and then finds nothing left to do.
    connection.execute("begin immediate")
    try:
        steps.apply(Database(connection))
        connection.execute("commit")
    except BaseException:
        if connection.in_transaction:
            connection.execute("rollback")
        raise


def _statements(script: str) -> Iterator[str]:
    statement = ""
    for line in script.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""
