"""Values for the parameters of a question: read from text, checked, and bound by DuckDB.

A value never becomes text of a statement, so no value can change what a statement does.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from numbers import Integral, Real
from typing import TYPE_CHECKING, TypeAlias

from geostore.errors import QueryError
from geostore.text.nearest import did_you_mean

if TYPE_CHECKING:
    from geostore.query.headers import Parameter, Question

Value: TypeAlias = float | int | str | tuple[float, ...] | None
"""A value as it is bound; a tuple is a list of DuckDB's."""

_INTEGER = re.compile(r"[+-]?\d+")
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
_A_VALUE = {
    "number": "a number, such as 25 or 0.5",
    "integer": "a whole number, such as 8",
    "text": "text",
    "numbers": "numbers with commas between them, such as 1,25,200",
    "integers": "whole numbers with commas between them, such as 1,2,4,8",
}
"""What each type of parameter takes."""


def read_value(name: str, kind: str, text: str) -> Value:
    """The value of a parameter that is written as text. Raises QueryError."""
    value = text.strip()
    if kind == "text":
        return text
    if kind == "integer" and _INTEGER.fullmatch(value):
        return _in_64_bits(name, int(value))
    if kind == "number" and _NUMBER.fullmatch(value):
        return _finite(name, float(value))
    parts = [part.strip() for part in value.split(",")]
    if kind == "numbers" and all(map(_NUMBER.fullmatch, parts)):
        return tuple(_finite(name, float(part)) for part in parts)
    if kind == "integers" and all(map(_INTEGER.fullmatch, parts)):
        return tuple(_in_64_bits(name, int(part)) for part in parts)
    raise _wrong(name, kind, text)


def read_plainly(name: str, text: str) -> Value:
    """A value for a user's own statement, which names no types: a number where it reads as one."""
    value = text.strip()
    if _INTEGER.fullmatch(value):
        return _in_64_bits(name, int(value))
    return _finite(name, float(value)) if _NUMBER.fullmatch(value) else text


def read_parameters(question: Question | None, texts: Mapping[str, str]) -> dict[str, Value]:
    """Values by name from what --param holds.

    question: whose types are taken; None for a statement of the user's own. Raises QueryError.
    """
    if question is None:
        return {name: read_plainly(name, text) for name, text in texts.items()}
    values: dict[str, Value] = {}
    for name, text in texts.items():
        parameter = _of(question, name)
        values[name] = check_value(parameter, read_value(name, parameter.type, text))
    return values


def check_value(parameter: Parameter, value: Value) -> Value:
    """The value itself. Raises QueryError where it lies outside of the parameter's bounds.

    Without them a question would divide by 0 bins, or count a photo twice for a distance that is
    named twice, and answer as if nothing were wrong.
    """
    name = parameter.name
    if parameter.choices and value is not None and value not in parameter.choices:
        near = did_you_mean(str(value), parameter.choices)
        raise QueryError(f"{name} is {' or '.join(parameter.choices)}, and not {value!r}{near}")
    numbers = value if isinstance(value, tuple) else (value,)
    for number in numbers:
        if isinstance(number, int | float) and not _is_within(number, parameter):
            bounds = f"at least {parameter.least:.15g}"
            if parameter.most is not None:
                bounds = f"from {parameter.least:.15g} to {parameter.most:.15g}"
            raise QueryError(f"{name} is {bounds}, and not {number:.15g}")
    if twice := [number for number in numbers if numbers.count(number) > 1]:
        raise QueryError(f"{name} has {twice[0]:.15g} twice; name each number once")
    return value


def _is_within(number: float, parameter: Parameter) -> bool:
    least, most = parameter.least, parameter.most
    return (least is None or number >= least) and (most is None or number <= most)


def values_for(question: Question, given: Mapping[str, object] | None) -> dict[str, Value]:
    """Every parameter of a question with its value: the one given, or its default.

    Raises QueryError for a name that the question lacks, for a value of another type, and where
    one without a default is not given.
    """
    given = given or {}
    for name in given:
        _of(question, name)
    missing = [p.name for p in question.parameters if p.is_required and p.name not in given]
    if missing:
        raise QueryError(
            f"the query {question.name} needs {' and '.join(missing)}; give it with --param "
            f"{missing[0]}=VALUE (parameters in Python)"
        )
    return {
        p.name: check_value(p, _checked(p, given[p.name])) if p.name in given else p.default
        for p in question.parameters
    }


def values_of_own(names: Iterable[str], given: Mapping[str, object] | None) -> dict[str, object]:
    """The values for a statement of the user's own. Raises QueryError as `values_for` does.

    names: what the statement names with a dollar.
    """
    given, names = given or {}, sorted(names)
    for name in given:
        if name not in names:
            raise QueryError(
                f"the statement has no parameter {name}{did_you_mean(name, names)}; "
                + (f"it names {_dollars(names)}" if names else f"write ${name} where it stands")
            )
    missing = [name for name in names if name not in given]
    if missing:
        raise QueryError(
            f"the statement names {_dollars(missing)}; give a value with --param "
            f"{missing[0]}=VALUE (parameters in Python)"
        )
    return dict(given)


def _dollars(names: Iterable[str]) -> str:
    return ", ".join(f"${name}" for name in names)


def _of(question: Question, name: str) -> Parameter:
    names = [parameter.name for parameter in question.parameters]
    if name not in names:
        others = f"it has {', '.join(names)}" if names else "it has none"
        raise QueryError(
            f"the query {question.name} has no parameter {name}{did_you_mean(name, names)}; "
            f"{others}"
        )
    return question.parameters[names.index(name)]


def _checked(parameter: Parameter, value: object) -> Value:
    """A value that Python gives, as the type asks for it. Raises QueryError."""
    if value is None and parameter.default is None and not parameter.is_required:
        return None
    return _of_type(parameter.name, parameter.type, value)


def _of_type(name: str, kind: str, value: object) -> Value:
    if kind == "text" and isinstance(value, str):
        return value
    if kind == "integer" and isinstance(value, Integral) and not isinstance(value, bool):
        return _in_64_bits(name, int(value))
    if kind == "number" and isinstance(value, Real) and not isinstance(value, bool):
        return _finite(name, float(value))
    if kind in ("numbers", "integers") and isinstance(value, Iterable):
        # A text is a row of letters, and the first of them is no number.
        numbers = tuple(_of_type(name, kind.removesuffix("s"), number) for number in value)
        if numbers:
            return numbers  # type: ignore[return-value]  # numbers, as checked
    raise _wrong(name, kind, value)


def _finite(name: str, value: float) -> float:
    if not math.isfinite(value):
        raise QueryError(f"{name} is a finite number, and not {value}")
    return value


def _in_64_bits(name: str, value: int) -> int:
    if not -(2**63) <= value < 2**63:
        raise QueryError(f"{name} is {value}, and whole numbers have 64 bits")
    return value


def _wrong(name: str, kind: str, value: object) -> QueryError:
    return QueryError(f"{name} is {_A_VALUE[kind]}, and not {value!r}")
