"""Brings a store's schema up to date: the files of sql/migrations, in order, once each.

All missing steps and the record of them share one transaction, so a store is
never between two versions. A store with a step that is not known here was made by a newer
geostore and is refused, because writing to it could break what it promises.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
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
    where it is a newer geostore's, sqlite3.Error where SQLite refuses.
    """
    applied = applied_migrations(connection, path)
    known = sql_names("migrations")
    if newer := [name for name in applied if name not in known]:
        raise StoreVersionError(
            f"{path} was made by a newer geostore (it has migration {newer[-1]}); "
            "upgrade geostore to use it"
        )
    missing = [name for name in known if name not in applied]
    if missing:
        _apply(connection)
    return missing


def is_outdated(path: Path) -> bool:
    """Whether a file is a store that an older geostore made and nothing has written to since.

    False for what is no store. Reads only.
    """
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as reader:
            applied = applied_migrations(reader, path)
    except (sqlite3.Error, StoreError):
        return False
    return bool(applied) and not set(sql_names("migrations")) <= set(applied)


def applied_migrations(connection: sqlite3.Connection, path: Path) -> list[str]:
    """The steps a file has had; [] for an empty file. Raises StoreError for a stranger's."""
    tables = {
        row[0] for row in connection.execute("select name from sqlite_master where type = 'table'")
    }
    if _RECORD in tables:
        found = connection.execute(
            f"select name from {_RECORD} where migration_set = ? order by rowid", (MIGRATION_SET,)
        )
        applied = [str(row[0]) for row in found]
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
    for name in sql_names("migrations"):

        def step(db: Database, /, sql: str = load_sql("migrations", name)) -> None:
            # Not executescript, which would commit the transaction it is called in.
            for statement in _statements(sql):
                db.conn.execute(statement)

        steps(name=name)(step)
    # Some builds of SQLite refuse by default to edit the schema's text, as a migration does;
    # Python can ask for it from 3.12 on.
    setconfig = getattr(connection, "setconfig", None)
    if setconfig is not None:
        setconfig(sqlite3.SQLITE_DBCONFIG_DEFENSIVE, False)  # type: ignore[attr-defined,unused-ignore]
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
