"""Where a key comes from, and when it is read anew."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from geostore.errors import TeacherUnusable
from geostore.teacher import keys
from geostore.teacher.keys import CommandKey, FileKey, FixedKey, key_in


def token(**claims: Any) -> str:
    """A JSON Web Token with these claims."""
    parts = (json.dumps({"alg": "none"}), json.dumps(claims), "signature")
    return ".".join(base64.urlsafe_b64encode(p.encode()).decode().rstrip("=") for p in parts)


IN_2030 = 1893456000
LATER = datetime.fromtimestamp(IN_2030)
READ: dict[str, tuple[bytes, str, float | None]] = {
    "alone": (b"sk-1", "sk-1", None),
    "with a line break": (b"  sk-1\r\n", "sk-1", None),
    "with a byte order mark": (b"\xef\xbb\xbfsk-1", "sk-1", None),
    "a token": (token(exp=IN_2030).encode(), token(exp=IN_2030), IN_2030),
    "a token without an end": (token(sub="x").encode(), token(sub="x"), None),
    "three words that are no token": (b"a.b.c", "a.b.c", None),
    "Azure's command": (
        json.dumps(
            {"accessToken": "sk-1", "expiresOn": str(LATER), "expires_on": IN_2030, "tenant": "x"}
        ).encode(),
        "sk-1",
        IN_2030,
    ),
    "Azure's older command": (
        json.dumps({"accessToken": "sk-1", "expiresOn": f"{LATER}.000000"}).encode(),
        "sk-1",
        IN_2030,
    ),
    "Google's command": (
        json.dumps(
            {"credential": {"access_token": "sk-1", "token_expiry": "2030-01-01T00:00:00Z"}}
        ).encode(),
        "sk-1",
        IN_2030,
    ),
    "Kubernetes' plugins": (
        json.dumps(
            {
                "kind": "ExecCredential",
                "status": {"token": "sk-1", "expirationTimestamp": "2030-01-01T00:00:00Z"},
            }
        ).encode(),
        "sk-1",
        IN_2030,
    ),
    "milliseconds": (b'{"api_key": "sk-1", "expiresAt": 1893456000000}', "sk-1", IN_2030),
    "seconds as text": (b'{"token": "sk-1", "expires_on": "1893456000"}', "sk-1", IN_2030),
    "no end": (b'{"api_key": " sk-1 ", "expires_at": null}', "sk-1", None),
    "an end that is none": (b'{"api_key": "sk-1", "expires_at": "soon"}', "sk-1", None),
    "a token in JSON": (
        json.dumps({"access_token": token(exp=IN_2030)}).encode(),
        token(exp=IN_2030),
        IN_2030,
    ),
}


@pytest.mark.parametrize("name", READ)
def test_a_key_and_its_end_are_read_in_the_forms_that_commands_print(name: str) -> None:
    content, value, ends_at = READ[name]
    key = key_in(content, "the file", "--api-key-file")
    assert (key.value, key.ends_at) == (value, ends_at)
    assert value not in repr(key)


def test_a_life_in_seconds_ends_so_many_seconds_from_now() -> None:
    key = key_in(b'{"access_token": "sk-1", "expires_in": 3599}', "the file", "--api-key-file")
    assert key.ends_at == pytest.approx(time.time() + 3599, abs=5)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "is empty"),
        (b" \n", "is empty"),
        (b"hush-4711\nhush-4712", "several lines"),
        (b"Please log in: hush-4711\x00", "a character that no key has"),
        ("hüsh-4711".encode(), "a character that no key has"),
        (b"\xff\xfehush-4711", "is no text"),
        (b'{"access_token": "hush-4711"', "begins as JSON"),
        (b'{"error": "hush-4711"}', "without an access_token"),
        (b'{"access_token": ["hush-4711"]}', "without an access_token"),
    ],
)
def test_what_holds_no_key_is_refused_without_quoting_it(content: bytes, sentence: str) -> None:
    with pytest.raises(TeacherUnusable, match=sentence) as raised:
        key_in(content, "the file", "--api-key-file")
    assert "--api-key-file" in str(raised.value)
    assert "4711" not in str(raised.value)


def test_a_key_of_the_environment_stays() -> None:
    async def play() -> None:
        source = FixedKey("sk-1")
        assert await source.key() == "sk-1"
        assert not await source.is_renewed("sk-1", asked_at=time.monotonic())

    asyncio.run(play())


def replace(path: Path, text: str) -> None:
    """Write a file as careful programs do: beside its target, then renamed."""
    beside = path.with_name("new")
    beside.write_text(text)
    beside.rename(path)


def test_a_file_is_read_anew_when_it_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keys, "_LOOK_EVERY", 0.0)
    path, seen = tmp_path / "key", list[str]()
    path.write_text("one")

    async def play() -> None:
        source = FileKey(path, seen.append)
        assert [await source.key(), await source.key()] == ["one", "one"]
        replace(path, "two")
        assert await source.key() == "two"
        path.write_text("three")
        os.utime(path, (1, 1))
        assert await source.key() == "three"
        path.unlink()
        assert await source.key() == "three"
        path.write_text("")
        assert await source.key() == "three"
        replace(path, "four")
        assert await source.key() == "four"

    asyncio.run(play())
    assert seen == ["one", "two", "three", "four"]


def test_a_refused_key_is_read_anew_though_nobody_looked_whether_the_file_changed(
    tmp_path: Path,
) -> None:
    path = tmp_path / "key"
    path.write_text("one")

    async def play() -> None:
        source = FileKey(path, lambda key: None)
        assert await source.key() == "one"
        assert not await source.is_renewed("one", asked_at=time.monotonic())
        path.write_text("two")
        assert await source.is_renewed("one", asked_at=time.monotonic())
        assert await source.key() == "two"
        # A request that was sent with the older key.
        assert await source.is_renewed("one", asked_at=0.0)

    asyncio.run(play())


@pytest.mark.parametrize(
    ("name", "sentence"), [("missing", "there is no key file"), (".", "Is a directory")]
)
def test_a_file_that_cannot_be_read_is_named(name: str, sentence: str, tmp_path: Path) -> None:
    with pytest.raises(TeacherUnusable, match=sentence) as raised:
        asyncio.run(FileKey(tmp_path / name, lambda key: None).key())
    assert "--api-key-file" in str(raised.value)


def counting(folder: Path, prints: str) -> str:
    """A command that notes each run, and prints a text in which {n} is its number."""
    count = folder / "count"
    return f"echo x >> {count}; n=$(wc -l < {count} | tr -d ' '); echo '{prints}' | sed s/{{n}}/$n/"


def runs(folder: Path) -> int:
    return len((folder / "count").read_text().splitlines())


def test_a_command_is_run_once_for_all_requests_until_its_key_is_refused(tmp_path: Path) -> None:
    async def play() -> None:
        source = CommandKey(counting(tmp_path, "key-{n}"), lambda key: None)
        assert set(await asyncio.gather(*[source.key() for _ in range(16)])) == {"key-1"}
        assert runs(tmp_path) == 1
        asked_at = time.monotonic()
        renewed = [source.is_renewed("key-1", asked_at=asked_at) for _ in range(16)]
        assert set(await asyncio.gather(*renewed)) == {True}
        assert runs(tmp_path) == 2
        assert await source.key() == "key-2"

    asyncio.run(play())


def test_a_command_that_gives_the_refused_key_again_is_run_once_for_all(tmp_path: Path) -> None:
    async def play() -> None:
        source = CommandKey(counting(tmp_path, "same"), lambda key: None)
        assert await source.key() == "same"
        asked_at = time.monotonic()
        renewed = [source.is_renewed("same", asked_at=asked_at) for _ in range(16)]
        assert set(await asyncio.gather(*renewed)) == {False}
        assert runs(tmp_path) == 2

    asyncio.run(play())


@pytest.mark.parametrize("life", [-100, 0, 30])
def test_a_key_is_read_anew_before_it_ends_and_not_at_every_request(
    life: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [1_800_000_000.0]
    monkeypatch.setattr("geostore.teacher.keys.time.time", lambda: now[0])
    ends = int(now[0]) + life
    text = json.dumps({"token": "key-{n}", "expires_at": ends})

    async def play() -> None:
        source = CommandKey(counting(tmp_path, text), lambda key: None)
        assert [await source.key() for _ in range(3)] == ["key-1"] * 3
        now[0] += max(10, life * 0.9) - 0.5
        assert await source.key() == "key-1"
        now[0] += 1
        assert [await source.key() for _ in range(3)] == ["key-2"] * 3

    asyncio.run(play())
    assert runs(tmp_path) == 2


@pytest.mark.parametrize(
    ("command", "sentence"),
    [
        ("echo hush-4711; echo hush-4712 >&2; exit 3", "ended with 3"),
        ("no-such-command-4711", "ended with 127"),
        ("true", "is empty"),
        ("echo hush-4711; echo more", "several lines"),
    ],
)
def test_a_command_that_fails_is_told_without_its_words(
    command: str, sentence: str, capfd: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(TeacherUnusable, match=sentence) as raised:
        asyncio.run(CommandKey(command, lambda key: None).key())
    assert "--api-key-command" in str(raised.value)
    said = capfd.readouterr()
    assert not any("471" in text for text in (str(raised.value), said.out, said.err))


def test_a_command_that_takes_too_long_is_killed_with_all_that_it_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keys, "COMMAND_SECONDS", 0.3)
    pids = tmp_path / "pids"
    begun = time.monotonic()
    with pytest.raises(TeacherUnusable, match=r"longer than 0\.3 s"):
        asyncio.run(CommandKey(f"sleep 60 & echo $! > {pids}; sleep 60", lambda key: None).key())
    assert time.monotonic() - begun < 20
    end = time.monotonic() + 10
    while _lives(int(pids.read_text())):
        assert time.monotonic() < end
        time.sleep(0.02)


def _lives(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


def test_a_command_that_fails_later_leaves_the_key_that_there_is(tmp_path: Path) -> None:
    ended = datetime.fromtimestamp(time.time() + 5, UTC).isoformat()
    text = json.dumps({"token": "key", "expires_at": ended})
    first = tmp_path / "first"
    command = f"test -e {first} && exit 1; touch {first}; echo '{text}'"

    async def play() -> None:
        source = CommandKey(command, lambda key: None)
        assert await source.key() == "key"
        assert not await source.is_renewed("key", asked_at=time.monotonic())
        assert await source.key() == "key"

    asyncio.run(play())
