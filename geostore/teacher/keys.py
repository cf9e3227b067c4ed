"""Where the key comes from, and when it is read anew: fixed, from a file, or from a command.

A key that a gateway or a cloud gives out for an hour ends in the middle of a run. It is
read anew when its file changes, shortly before it says that it ends, and when a server
refuses it. No key and no word of a command's output is stored, logged or shown.
"""

from __future__ import annotations

import asyncio
import base64
import json
import os
import signal
import stat
import time
from abc import ABC, abstractmethod
from asyncio.subprocess import DEVNULL, PIPE
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from geostore.errors import TeacherUnusable
from geostore.teacher.travel import check_header_name

COMMAND_SECONDS = 60.0
"""Seconds that a command may take to give a key; it may have to ask a server of its own."""

_LOOK_EVERY = 1.0
"""Seconds between two looks whether a file has changed."""

_EARLY = 60.0
"""Seconds before a key's end at which it is read anew, or a tenth of its life where that is less:
a request may wait long before a server looks at its key."""

_READ_AGAIN_AFTER = 10.0
"""Seconds until a key whose end has passed is read once more; a clock may be wrong."""

_KEY_NAMES = (
    *("access_token", "accessToken", "api_key", "apiKey", "token", "key"),
    *("id_token", "idToken"),
)
_END_NAMES = (
    # Azure's command says the end twice: expires_on as seconds, expiresOn as local time.
    *("expires_on", "expires_at", "expiresAt", "expirationTimestamp", "token_expiry", "expiry"),
    *("expiration", "Expiration", "expiresOn", "exp"),
)


@dataclass(frozen=True, slots=True)
class Key:
    """A key as it was read."""

    value: str = field(repr=False)
    """What is sent."""

    ends_at: float | None = None
    """Seconds since 1970 at which it says that it ends; None where it does not say."""


@dataclass(frozen=True, slots=True)
class KeyChoice:
    """Which key is sent: `value`, unless a file or a command gives it."""

    value: str | None = field(default=None, repr=False)
    """A key that stays; None: none is known."""

    file: Path | None = None
    """A file that holds the key."""

    command: str | None = field(default=None, repr=False)
    """A command of the shell that prints the key; it may hold secrets of its own."""

    header: str | None = None
    """The header that holds the key; None: ``Authorization``, or what Azure's addresses want."""

    @property
    def is_known(self) -> bool:
        """Whether there is anything to send."""
        return bool(self.value or self.file or self.command)

    def check(self) -> None:
        """Raise TeacherUnusable where it contradicts itself, or names a file that holds no key."""
        if self.file is not None and self.command is not None:
            raise _unusable("the key comes from a file or from a command, not both", FileKey.option)
        # Before anything is asked, so that a wrong file is no failed request of a trace. What a
        # pipe holds can be read only once.
        if self.file is not None and not _is_pipe(self.file):
            _key_in_file(self.file)
        if self.header is not None:
            check_header_name(self.header)

    def source(self, on_key: Callable[[str], None]) -> KeySource:
        """Where the key of each request comes from. on_key: called with each before its use.

        Raises TeacherUnusable where `value` is one that no header can hold.
        """
        if self.file is not None:
            return FileKey(self.file, on_key)
        if self.command is not None:
            return CommandKey(self.command, on_key)
        if self.value:
            if not self.value.isprintable():
                raise _unusable(
                    "the API key holds a line break or another character that no header can have",
                    FixedKey.option,
                )
            on_key(self.value)
        return FixedKey(self.value)

    def headers(self, key: str | None, *, azure: bool) -> dict[str, str]:
        """The header that holds the key. azure: whether the address is one of Azure's."""
        name = self.header or "Authorization"
        # Azure takes its own keys in a header of their own, and tokens of Entra as everyone does.
        if azure and self.header is None and key is not None and not _is_token(key):
            name = "api-key"
        if name.lower() != "authorization":
            return {} if key is None else {name: key}
        return {"Authorization": f"Bearer {key or 'none'}"}


class KeySource(ABC):
    """Gives the key of each request."""

    option: str
    """The option that names the source, for messages."""

    @abstractmethod
    async def key(self) -> str | None:
        """The key to send now; None where there is none. Raises TeacherUnusable."""

    @abstractmethod
    async def is_renewed(self, refused: str | None, *, asked_at: float) -> bool:
        """Whether there is another key than the one that a server refused.

        asked_at: when the refused request was sent, as of `time.monotonic`.
        """


class FixedKey(KeySource):
    """A key that stays, or none."""

    option = "--api-key-env"

    def __init__(self, value: str | None) -> None:
        self._value = value

    async def key(self) -> str | None:
        """See `KeySource.key`."""
        return self._value

    async def is_renewed(self, refused: str | None, *, asked_at: float) -> bool:
        """See `KeySource.is_renewed`."""
        return False


class _ReadKey(KeySource):
    """A key that can be read anew. on_key: called with each new one before it is used."""

    def __init__(self, on_key: Callable[[str], None]) -> None:
        self._on_key = on_key
        self._key: Key | None = None
        self._read_at = 0.0
        self._again_at = float("inf")
        # The requests in flight would otherwise all read it at once.
        self._lock = asyncio.Lock()

    async def key(self) -> str | None:
        """See `KeySource.key`."""
        before = self._read_at
        if self._key is None or time.time() >= self._again_at or self._has_changed():
            async with self._lock:
                if self._key is None:
                    self._take(await self._read())
                elif self._read_at == before:
                    await self._read_again()
        return None if self._key is None else self._key.value

    async def is_renewed(self, refused: str | None, *, asked_at: float) -> bool:
        """See `KeySource.is_renewed`."""
        async with self._lock:
            # Another request that was refused may have read it meanwhile.
            if self._key is not None and self._key.value == refused and self._read_at <= asked_at:
                await self._read_again()
        return self._key is not None and self._key.value != refused

    async def _read_again(self) -> None:
        try:
            self._take(await self._read())
        except TeacherUnusable:
            # A file that is being replaced, or a command that fails for once. The key that there
            # is may still do; if not, the server says so.
            self._again_at = time.time() + _READ_AGAIN_AFTER
            self._read_at = time.monotonic()

    def _take(self, key: Key) -> None:
        self._on_key(key.value)
        now = time.time()
        self._key, self._read_at, self._again_at = key, time.monotonic(), float("inf")
        if key.ends_at is not None:
            early = min(_EARLY, (key.ends_at - now) / 10)
            self._again_at = max(key.ends_at - early, now + _READ_AGAIN_AFTER)

    def _has_changed(self) -> bool:
        return False

    @abstractmethod
    async def _read(self) -> Key:
        """Read it. Raises TeacherUnusable."""


class FileKey(_ReadKey):
    """The key in a file, which another program may write anew."""

    option = "--api-key-file"

    def __init__(self, path: Path, on_key: Callable[[str], None]) -> None:
        super().__init__(on_key)
        self._path = path
        self._seen: tuple[int, ...] | None = None
        self._look_at = 0.0

    def _has_changed(self) -> bool:
        now = time.monotonic()
        if now < self._look_at:
            return False
        self._look_at = now + _LOOK_EVERY
        return self._state() not in (None, self._seen)

    def _state(self) -> tuple[int, ...] | None:
        try:
            status = self._path.stat()
        except OSError:
            return None  # it is being replaced
        return status.st_mtime_ns, status.st_size, status.st_ino

    async def _read(self) -> Key:
        # Before the bytes: a change after this look is seen by the next one.
        self._seen = self._state()
        return await asyncio.to_thread(_key_in_file, self._path)


class CommandKey(_ReadKey):
    """The key that a command of the user's prints."""

    option = "--api-key-command"

    def __init__(self, command: str, on_key: Callable[[str], None]) -> None:
        super().__init__(on_key)
        self._command = command

    async def _read(self) -> Key:
        process = await asyncio.create_subprocess_shell(
            self._command,
            stdin=DEVNULL,
            stdout=PIPE,
            stderr=DEVNULL,
            # In a group of its own, so that all of it can be killed, and Ctrl-C lets it finish.
            start_new_session=True,
        )
        try:
            async with asyncio.timeout(COMMAND_SECONDS):
                content, _ = await process.communicate()
        except TimeoutError:
            raise _unusable(
                f"the command for the key took longer than {COMMAND_SECONDS:g} s", self.option
            ) from None
        finally:
            # Too late, or cancelled. What it has left running on purpose stays.
            if process.returncode is None:
                with suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                await process.wait()
        if process.returncode:
            raise _unusable(
                f"the command for the key ended with {process.returncode}; run it by hand to see "
                "what it says",
                self.option,
            )
        return key_in(content, "what the command for the key prints", self.option)


def _is_pipe(path: Path) -> bool:
    """Whether a path is one end of a pipe, as the shell's ``<(command)`` is."""
    try:
        return stat.S_ISFIFO(path.stat().st_mode)
    except OSError:
        return False  # Reading it says what is wrong.


def _key_in_file(path: Path) -> Key:
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise _unusable(f"there is no key file {path}", FileKey.option) from None
    except OSError as error:
        raise _unusable(
            f"the key file {path} cannot be read: {error.strerror}", FileKey.option
        ) from error
    return key_in(content, f"the key file {path}", FileKey.option)


def key_in(content: bytes, whose: str, option: str) -> Key:
    """The key in a text: the text itself, or a member of the JSON object that it is.

    Raises TeacherUnusable, which quotes nothing of it.
    """
    try:
        text = content.decode("utf-8-sig").strip()
    except UnicodeDecodeError:
        raise _unusable(f"{whose} is no text", option) from None
    key = Key(text, _end_in_token(text))
    if text.startswith("{"):
        key = _key_in_json(text, whose, option)
    if not key.value:
        raise _unusable(f"{whose} is empty", option)
    if not key.value.isascii() or not key.value.isprintable():
        raise _unusable(
            f"{whose} holds several lines, or a character that no key has; it should be the key "
            "alone, or a JSON object with an access_token",
            option,
        )
    return key


def _key_in_json(text: str, whose: str, option: str) -> Key:
    try:
        value = json.loads(text)
    except ValueError:
        raise _unusable(f"{whose} begins as JSON and is none", option) from None
    for members in (value, *(member for member in value.values() if isinstance(member, dict))):
        for name in _KEY_NAMES:
            word = members.get(name)
            if isinstance(word, str) and word.strip():
                word = word.strip()
                ends = filter(None, (*_ends(members), _end_in_token(word)))
                return Key(word, next(ends, None))
    raise _unusable(f"{whose} is a JSON object without an access_token, api_key or token", option)


def _ends(members: Mapping[str, Any]) -> Iterator[float | None]:
    for name in _END_NAMES:
        yield _moment(members.get(name))
    seconds = members.get("expires_in")
    with suppress(TypeError, ValueError):
        yield time.time() + float(seconds)  # type: ignore[arg-type]


def _moment(value: Any) -> float | None:
    """Seconds since 1970 of a number (also of milliseconds) or a date; None where it is none."""
    with suppress(TypeError, ValueError):
        number = float(value)
        return number / 1000 if number > 1e11 else number
    try:
        # Without a zone it is local time, as Azure's command writes it.
        return datetime.fromisoformat(value).timestamp()
    except (TypeError, ValueError, OverflowError):
        return None


def _is_token(key: str) -> bool:
    """Whether a key has the form of a JSON Web Token: JSON begins with eyJ in base64."""
    return key.startswith("eyJ") and key.count(".") == 2


def _end_in_token(token: str) -> float | None:
    """The end that a JSON Web Token names (RFC 7519); None where it is none, or names none."""
    if not _is_token(token):
        return None
    parts = token.split(".")
    with suppress(ValueError, AttributeError):
        claims = json.loads(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
        return _moment(claims.get("exp"))
    return None


def _unusable(message: str, option: str) -> TeacherUnusable:
    return TeacherUnusable(f"{message} (see {option})", error_class="refused")
