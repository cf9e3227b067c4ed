"""How far the store's log of traces is dealt with, so that what is missing is found at once.

The triggers of migration ``reward_progress`` log every trace that may lack a
reading or a reward. After everything before a place in the log was found
complete, only the traces logged since need to be looked at.
"""

from __future__ import annotations

import sqlite3
from typing import Literal

from geostore.rewards.transactions import short_transaction
from geostore.sqlfiles import load_sql

Kind = Literal["answers", "rewards"]


def last_log_id(connection: sqlite3.Connection) -> int:
    """The last place of the log now; to be asked before what it is to vouch for is looked at."""
    return int(connection.execute(load_sql("store", "last_log_id")).fetchone()[0])


def settled_log_id(connection: sqlite3.Connection, kind: Kind, version: int) -> int | None:
    """The place up to which nothing is missing; None where all traces have to be looked at."""
    row = connection.execute(
        load_sql("store", "get_settled"), {"kind": kind, "version": version}
    ).fetchone()
    return None if row is None else int(row[0])


def mark_settled(connection: sqlite3.Connection, kind: Kind, version: int, log_id: int) -> None:
    """Record that nothing is missing up to a place, if that is news."""
    if settled_log_id(connection, kind, version) == log_id:
        return  # a rescore that finds nothing to do writes nothing
    with short_transaction(connection):
        connection.execute(
            load_sql("store", "put_settled"), {"kind": kind, "version": version, "log_id": log_id}
        )
