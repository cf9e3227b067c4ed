"""An id tells replies apart until it is seen to name several, or is plainly a constant."""

from __future__ import annotations

from typing import NamedTuple

import pytest

from geostore.teacher.reply_ids import ReplyIds

LONG = "chatcmpl-9f2c41d07be8"


class Connection:
    """Stands for one; only its identity matters."""


class Seen(NamedTuple):
    asked: bytes
    answered: bytes
    connection: Connection


ONE, TWO = Connection(), Connection()
FIRST = Seen(b"photo 1", b"Norway", ONE)


@pytest.mark.parametrize(
    ("second", "is_own"),
    [
        (Seen(b"photo 2", b"Norway", ONE), True),  # may have been sent twice
        (Seen(b"photo 1", b"Norway", ONE), True),
        (Seen(b"photo 1", b"Norway", TWO), True),  # a cache gives it again
        (Seen(b"photo 1", b"Sweden", TWO), True),  # a server that counts from a seed
        (Seen(b"photo 2", b"Sweden", ONE), False),
        (Seen(b"photo 2", b"Sweden", TWO), False),
        (Seen(b"photo 2", b"Norway", TWO), False),  # no response comes twice on two connections
    ],
)
def test_an_id_that_named_another_reply_names_none(second: Seen, is_own: bool) -> None:
    ids = ReplyIds()
    assert ids.note(LONG, **FIRST._asdict())
    assert ids.note(LONG, **second._asdict()) == is_own
    # Once shared, it stays so.
    assert ids.note(LONG, **second._asdict()) == is_own
    assert ids.note("chatcmpl-0a1b2c3d4e5f", **FIRST._asdict())


@pytest.mark.parametrize(
    "reply_id",
    [
        LONG,
        "9f2c41d07be84e6f9f2c41d07be84e6f",
        "gen-1790000000-AbCdEfGhIjKl",
        "msg_01XFDUDYJgAACzvnptvVoYEL",
        "6f1c0e2a-3b5d-4a77-8e21-0d9c1b2a3f44",
        "WbJ3aLTUGbrQ",
    ],
)
def test_an_id_as_servers_draw_it_is_one(reply_id: str) -> None:
    assert ReplyIds().note(reply_id, **FIRST._asdict())


@pytest.mark.parametrize(
    "reply_id",
    [
        *(
            "0",
            "1",
            "r1",
            "chatcmpl-1",
            "cmpl-xyz",
            "chatcmpl-123",
            "chatcmpl-",
            "chatcmpl-default",
        ),
        *("chatcmpl-00000000", "00000000-0000-0000-0000-000000000000", "x" * 40),
    ],
)
def test_a_constant_is_none(reply_id: str) -> None:
    assert not ReplyIds().note(reply_id, **FIRST._asdict())


def test_only_the_newest_ids_are_remembered() -> None:
    ids = ReplyIds()
    ids.note(LONG, **FIRST._asdict())
    for number in range(10_000):
        ids.note(f"chatcmpl-{number:012x}", **FIRST._asdict())
    assert len(ids._uses) < 5000
    assert ids.note(LONG, **Seen(b"photo 2", b"Sweden", TWO)._asdict())
