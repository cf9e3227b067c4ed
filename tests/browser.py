"""A real browser for tests: Debian's Chromium, spoken to through two pipes (DevTools protocol).

No port is opened and no driver is needed. Where there is no Chromium, `chromium()` is None, and
tests that need one say so and are skipped.
"""

from __future__ import annotations

import base64
import contextlib
import fcntl
import itertools
import json
import os
import select
import shutil
import signal
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
    "--hide-scrollbars",
    "--remote-debugging-pipe",
)
PATIENCE = 60.0
"""Seconds that a busy machine may take for an answer."""


def chromium() -> str | None:
    """The path of a Chromium of this machine."""
    return shutil.which("chromium") or shutil.which("chromium-browser")


class Browser:
    """One process of Chromium with a profile of its own, and one page in it."""

    def __init__(self, program: str) -> None:
        self._profile = tempfile.mkdtemp(prefix="geostore-browser-")
        read_here, write_there = _pipe()
        read_there, write_here = _pipe()
        actions = [
            (os.POSIX_SPAWN_DUP2, read_there, 3),
            (os.POSIX_SPAWN_DUP2, write_there, 4),
            (os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0),
            (os.POSIX_SPAWN_OPEN, 2, os.devnull, os.O_WRONLY, 0),
        ]
        command = [program, *FLAGS, f"--user-data-dir={self._profile}", "about:blank"]
        # A group of its own, so that its helpers end with it.
        self._process = os.posix_spawn(
            program, command, os.environ, file_actions=actions, setpgroup=0
        )
        os.close(read_there)
        os.close(write_there)
        self._read, self._write = read_here, write_here
        self._buffer = b""
        self._numbers = itertools.count(1)
        self.events: list[dict[str, Any]] = []
        """All that the browser told by itself since the last page was opened."""
        self._session: str | None = None
        targets = self.send("Target.getTargets")["targetInfos"]
        target = next(t["targetId"] for t in targets if t["type"] == "page")
        attached = self.send("Target.attachToTarget", targetId=target, flatten=True)
        self._session = attached["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.send(f"{domain}.enable")

    def send(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Run one command of the protocol and wait for its result."""
        number = next(self._numbers)
        message: dict[str, Any] = {"id": number, "method": method, "params": parameters}
        if self._session is not None:
            message["sessionId"] = self._session
        os.write(self._write, json.dumps(message).encode() + b"\0")
        for answer in self._messages(until=time.monotonic() + PATIENCE):
            if answer.get("id") == number:
                if "error" in answer:
                    raise RuntimeError(f"{method}: {answer['error']['message']}")
                result: dict[str, Any] = answer["result"]
                return result
            self.events.append(answer)
        raise TimeoutError(f"no answer to {method} in {PATIENCE:.0f} s")

    def open(self, path: Path, *, width: int = 1200, height: int = 900, dark: bool = False) -> None:
        """Load a file in a window of this size, and wait until its scripts have run."""
        self.send(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=False,
        )
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.send("Emulation.setEmulatedMedia", features=[scheme])
        self.events.clear()
        self.send("Page.navigate", url=path.as_uri())
        end = time.monotonic() + PATIENCE
        while not any(event.get("method") == "Page.loadEventFired" for event in self.events):
            self.events.append(next(self._messages(until=end)))

    def run(self, script: str) -> Any:
        """The value of an expression in the page, as JSON has it."""
        answer = self.send(
            "Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True
        )
        if "exceptionDetails" in answer:
            raise RuntimeError(answer["exceptionDetails"]["exception"].get("description"))
        return answer["result"].get("value")

    def wait(self, script: str) -> None:
        """Until an expression of the page is true, which a busy machine may take a while for."""
        end = time.monotonic() + PATIENCE
        while not self.run(script):
            if time.monotonic() > end:
                raise TimeoutError(f"not true in {PATIENCE:.0f} s: {script}")
            time.sleep(0.02)

    def press(self, key: str, code: int = 0) -> None:
        """One key, such as ``Tab`` or ``n``; `code` is the number of a key without a letter."""
        text = {"text": key} if len(key) == 1 else {"text": "\r"} if key == "Enter" else {}
        known = {"key": key, "windowsVirtualKeyCode": code, **text}
        self.send("Input.dispatchKeyEvent", type="keyDown", **known)
        self.send("Input.dispatchKeyEvent", type="keyUp", **known)

    def mouse(self, kind: str, x: float, y: float, **more: Any) -> None:
        """One event of the mouse: ``mouseMoved``, ``mousePressed``, ``mouseReleased``..."""
        self.send("Input.dispatchMouseEvent", type=kind, x=x, y=y, **more)

    def picture(self, *, whole: bool = True) -> bytes:
        """A PNG of the page, or of what the window shows of it."""
        taken = self.send("Page.captureScreenshot", format="png", captureBeyondViewport=whole)
        return base64.b64decode(taken["data"])

    def pdf(self) -> bytes:
        """The page as it is printed, on the paper that its style names."""
        printed = self.send("Page.printToPDF", preferCSSPageSize=True, printBackground=True)
        return base64.b64decode(printed["data"])

    def complaints(self) -> list[str]:
        """Everything that the console holds: errors, warnings, and what scripts wrote."""
        texts = []
        for event in self.events:
            match event.get("method"):
                case "Runtime.exceptionThrown":
                    details = event["params"]["exceptionDetails"]
                    texts.append(details.get("exception", {}).get("description", details["text"]))
                case "Log.entryAdded":
                    texts.append(event["params"]["entry"]["text"])
                case "Runtime.consoleAPICalled":
                    texts.append(str(event["params"]["args"]))
        return texts

    def requests(self) -> list[str]:
        """The address of everything that was asked for since the page was opened."""
        return [
            event["params"]["request"]["url"]
            for event in self.events
            if event.get("method") == "Network.requestWillBeSent"
        ]

    def close(self) -> None:
        """End the browser with its helpers, and remove its profile."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process, signal.SIGKILL)
        os.waitpid(self._process, 0)
        os.close(self._read)
        os.close(self._write)
        # Helpers that are just ending may still write into it.
        shutil.rmtree(self._profile, ignore_errors=True)

    def _messages(self, *, until: float) -> Iterator[dict[str, Any]]:
        while True:
            text, end, rest = self._buffer.partition(b"\0")
            if end:
                self._buffer = rest
                yield json.loads(text)
                continue
            left = until - time.monotonic()
            if left <= 0 or not select.select([self._read], [], [], left)[0]:
                raise TimeoutError("the browser says nothing")
            chunk = os.read(self._read, 1 << 20)
            if not chunk:
                raise RuntimeError("the browser has ended")
            self._buffer += chunk


def _pipe() -> tuple[int, int]:
    """Two ends with numbers above those that the browser expects its own at."""
    ends = os.pipe()
    high = [fcntl.fcntl(end, fcntl.F_DUPFD_CLOEXEC, 10) for end in ends]
    for end in ends:
        os.close(end)
    return high[0], high[1]
