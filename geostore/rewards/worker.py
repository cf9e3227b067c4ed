"""The process in which a custom reward function runs: rows in on stdin, results out on stdout.

Lines of JSON both ways. The first line names the function; the answer is
``{"ready": true}`` or why it cannot be used. Then each line is a list of rows,
and each row is answered by a line of its own, at once, so that the other side
can tell which one hangs. What the function prints goes to stderr.
"""

from __future__ import annotations

import asyncio
import importlib
import importlib.util
import inspect
import math
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

import orjson

BAD_TARGET = "bad_target"
EXCEPTION = "exception"
BAD_RESULT = "bad_result"
_LONGEST_MESSAGE = 500


def serve() -> None:
    """Answer lines until stdin ends."""
    # A Ctrl-C is for the parent, which ends this process when it is done.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    out = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    sys.stdout = sys.stderr
    source = sys.stdin.buffer
    try:
        function = load_function(orjson.loads(source.readline())["target"])
    except BaseException as error:
        _say(out, {"error": BAD_TARGET, "message": describe(error)})
        return
    _say(out, {"ready": True})
    for line in source:
        for row in orjson.loads(line):
            _say(out, score_row(function, row))


def load_function(target: str) -> Callable[..., Any]:
    """The function that ``package.module:function`` or ``path/to/file.py:function`` names.

    Raises whatever importing it does, AttributeError where there is no such function.
    """
    place, _, name = target.rpartition(":")
    if place.endswith(".py"):
        path = Path(place).absolute()
        sys.path.insert(0, str(path.parent))  # as where Python runs a file: for its neighbours
        spec = importlib.util.spec_from_file_location(path.stem, path)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[path.stem] = module  # what a dataclass or a pickle in it looks up
        spec.loader.exec_module(module)
    else:
        module = importlib.import_module(place)
    function = getattr(module, name)
    if not callable(function):
        raise TypeError(f"{name} is no function")
    return function  # type: ignore[no-any-return]


def score_row(function: Callable[..., Any], row: dict[str, Any]) -> dict[str, Any]:
    """``{"score": number, "extra": {...}}``, or ``{"error": reason, "message": text}``."""
    try:
        found = function(**row)
        if inspect.isawaitable(found):
            found = asyncio.run(_awaited(found))
    except Exception as error:
        return {"error": EXCEPTION, "message": describe(error)}
    except SystemExit as error:
        return {"error": EXCEPTION, "message": describe(error)}
    return _result(found)


async def _awaited(found: Any) -> Any:
    return await found


def _result(found: Any) -> dict[str, Any]:
    extra: dict[str, Any] = {}
    value = found
    if isinstance(found, dict):
        if "score" not in found:
            keys = ", ".join(map(str, found)) or "nothing"
            return {"error": BAD_RESULT, "message": f"no score in the dict, but {keys}"}
        extra = {str(key): _plain(value) for key, value in found.items() if key != "score"}
        value = found["score"]
    try:
        score = float(value)
    except (TypeError, ValueError):
        return {"error": BAD_RESULT, "message": f"the score is {type(value).__name__}, no number"}
    if not math.isfinite(score):
        return {"error": BAD_RESULT, "message": f"the score is {score}"}
    return {"score": score, "extra": extra}


def _plain(value: Any) -> Any:
    """A value as JSON has it: numbers and strings as they are, all else as text."""
    if value is None or isinstance(value, bool | str):
        return value
    if isinstance(value, int) and abs(value) < 2**63:
        return value
    if isinstance(value, dict):
        return {str(key): _plain(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(part) for part in value]
    try:
        number = float(value)  # numpy's scalars, Decimal, Fraction
    except (TypeError, ValueError, OverflowError):
        return str(value)[:_LONGEST_MESSAGE]
    return number if math.isfinite(number) else str(number)


def describe(error: BaseException) -> str:
    """An error's class and sentence, on one line of a readable length."""
    text = " ".join(f"{type(error).__name__}: {error}".split())
    return text if len(text) <= _LONGEST_MESSAGE else f"{text[: _LONGEST_MESSAGE - 1]}…"


def _say(out: BinaryIO, answer: dict[str, Any]) -> None:
    try:
        line = orjson.dumps(answer)
    except TypeError as error:  # a lone surrogate in a string of the function's
        line = orjson.dumps({"error": BAD_RESULT, "message": describe(error)})
    out.write(line + b"\n")
    out.flush()
