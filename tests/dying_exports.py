"""Exports in forks of one warm process, each killed at the n-th thing it does to a disk.

A fresh interpreter needs a second to import what an export needs; a fork of a process that
has it needs some hundredths. A *point* is a file opened, made, renamed or removed in the
folder of the target, and each side of a statement that begins or ends a transaction.
Run as a module it reads jobs as JSON, one a line, and answers with one number each: the
signal that ended the fork, or 0.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import Any

ROOT = Path(__file__).parent.parent
_EVENTS = frozenset(
    ("open", "os.mkdir", "os.rename", "os.remove", "os.rmdir", "shutil.rmtree", "fcntl.flock")
)


class DyingExports:
    """The warm process, as a test sees it."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.dying_exports"],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def __enter__(self) -> DyingExports:
        return self

    def __exit__(
        self,
        type: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(60)
        assert self._process.stdout is not None
        self._process.stdout.close()

    def export(
        self, store: Path, out: Path, at: int | None = None, by: signal.Signals = signal.SIGKILL
    ) -> int:
        """Export whole messages; the signal that ended it, or 0, or 1 after an error.

        at: the point, from 1, at which the process sends itself the signal; None: at none.
        """
        job = {"store": str(store), "out": str(out), "at": at, "signal": int(by)}
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        print(json.dumps(job), file=self._process.stdin, flush=True)
        return int(self._process.stdout.readline())


def _die_at(point: int, folder: str, by: int) -> None:
    passed = 0

    def count() -> None:
        nonlocal passed
        passed += 1
        if passed == point:
            os.kill(os.getpid(), by)

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        if event not in _EVENTS:
            return
        # A descriptor stands for a path in flock, and in what rmtree does.
        is_here = not isinstance(arguments[0], str | os.PathLike) or str(arguments[0]).startswith(
            folder
        )
        if is_here:
            count()

    from geostore.store.db import Db

    execute = Db.execute

    def counted(db: Db, statement: str, values: Any = None) -> Any:
        if statement.split()[0] not in ("begin", "commit"):
            return execute(db, statement, values)
        count()
        result = execute(db, statement, values)
        count()
        return result

    Db.execute = counted  # type: ignore[method-assign,assignment]  # in this fork alone
    sys.addaudithook(hook)


def _export(job: dict[str, Any]) -> None:
    from geostore.export import ExportOptions, export
    from geostore.store import Store

    with Store.open(Path(job["store"])) as store:
        if job["at"] is not None:
            _die_at(job["at"], str(Path(job["out"]).parent), job["signal"])
        export(store, job["out"], options=ExportOptions(messages="full"))


def main() -> None:
    """Do the jobs."""
    import geostore.export
    import geostore.store.store  # noqa: F401  # warm

    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            status = 1
            try:
                _export(json.loads(line))
                status = 0
            except KeyboardInterrupt:
                status = signal.SIGINT
            finally:
                os._exit(status)
        _, status = os.waitpid(child, 0)
        code = os.waitstatus_to_exitcode(status)
        print(abs(code), flush=True)


if __name__ == "__main__":
    main()
