"""A custom reward function: loading it, calling it with a row, and reading its result.

It runs in child processes. Whatever it does wrong is a `Failed` with a reason.
"""

from __future__ import annotations

import asyncio
import importlib
import importlib.util
import inspect
import math
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson

from geostore.errors import RewardError

EXCEPTION = "exception"
BAD_RESULT = "bad_result"
_LONGEST_MESSAGE = 500

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Scored:
    """What a function returned for a row."""

    score: float
    """Finite."""
    extra: dict[str, Any] = field(default_factory=dict)
    """What else it returned, as JSON has it."""


@dataclass(frozen=True, slots=True)
class Failed:
    """Why a row has no score."""

    reason: str
    """``exception`` or ``bad_result``, or a reason of `geostore.rewards.pool`."""
    message: str
    """One line for people."""


def make_scorer(target: str) -> Callable[[tuple[int, Row]], Scored | Failed]:
    """Load a function; what scores a numbered row with it. Raises RewardError."""
    sys.path.append(os.getcwd())  # the folder in which the command was given, as for `python -m`
    try:
        function = load_function(target)
    except BaseException as error:  # a module may do anything when it is imported, such as exit
        raise RewardError(f"{target} cannot be used: {describe(error)}") from error
    return lambda numbered: score_row(function, numbered[1])


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


def score_row(function: Callable[..., Any], row: Row) -> Scored | Failed:
    """Call a function with a row's values by name. Never raises for what the function does."""
    try:
        returned = function(**row)
        if inspect.isawaitable(returned):
            returned = asyncio.run(_awaited(returned))
    except (Exception, SystemExit) as error:
        return Failed(EXCEPTION, describe(error))
    return _result(returned)


async def _awaited(returned: Any) -> Any:
    return await returned


def _result(returned: Any) -> Scored | Failed:
    extra: dict[str, Any] = {}
    value = returned
    if isinstance(returned, dict):
        if "score" not in returned:
            keys = ", ".join(map(str, returned)) or "nothing"
            return Failed(BAD_RESULT, f"no score in the dict, but {keys}")
        extra = {str(key): _plain(value) for key, value in returned.items() if key != "score"}
        value = returned["score"]
    try:
        score = float(value)
    except (TypeError, ValueError):
        return Failed(BAD_RESULT, f"the score is {type(value).__name__}, no number")
    if not math.isfinite(score):
        return Failed(BAD_RESULT, f"the score is {score}")
    try:
        orjson.dumps(extra)
    except TypeError as error:  # half of a surrogate pair in a string
        return Failed(BAD_RESULT, describe(error))
    return Scored(score, extra)


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
    text = text.encode(errors="replace").decode()  # no store takes half of a surrogate pair
    return text if len(text) <= _LONGEST_MESSAGE else f"{text[: _LONGEST_MESSAGE - 1]}…"
