"""Parameters of the weighted reward: its terms, their weights, and the conditions of a term.

A term counts always, or only where others are above 0 (``if``) or are not (``unless``).
Names decide no number, so a spec holds its terms without them, in an order that follows from them,
and each condition as the term that it looks at. A spec without conditions is what it always was.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from geostore.errors import RewardError
from geostore.places import GAZETTEER_VERSION
from geostore.rewards.formulas import (
    COMMON,
    DISTANCE_KINDS,
    EXTRA_TERMS,
    OPTIONAL,
    PLACE_TERMS,
    TERMS,
    read_value,
)
from geostore.text.nearest import did_you_mean

CONDITIONS = ("if", "unless")
"""How a term may depend on others: it counts where all of them are above 0, or where none is."""

_NO_NAME = ("", "none")
"""A condition without a name, and JSON's null as a command line gives it."""


def weighted_parameters(params: Mapping[str, str]) -> tuple[dict[str, Any], list[str]]:
    """All parameters of a weighted reward, and what was given as ``name=value``.

    ``geoguessr=0.8`` is a term and its weight, ``geoguessr.scale=2000`` a parameter of it, and
    ``cut.if=threshold:near`` a condition. A term may come more than once with names of the user's:
    ``threshold:near=0.1``. A condition names a term that is given, also one of weight 0, or a kind
    of term, whose parameters then follow as ``cut.if.km=25``; several are parted by commas.
    Raises RewardError, which names what is allowed.
    """
    parameters: dict[str, Any] = {**COMMON, "unparsed": None}
    terms: dict[str, dict[str, Any]] = {}
    inner: list[tuple[str, str, str]] = []
    for key, text in params.items():
        if key in parameters:
            parameters[key] = read_value(key, f"weighted's {key}", text)
            continue
        named, dot, parameter = key.partition(".")
        if _kind(named) not in TERMS:
            known = ", ".join([*TERMS, *sorted(parameters)])
            raise RewardError(
                f"weighted has no term or parameter {key!r}{did_you_mean(_kind(named), TERMS)}; "
                f"it has: {known}"
            )
        if dot:
            inner.append((named, parameter, text))
            continue
        terms[named] = _term(named, read_value("weight", f"the weight of {named}", text))
    conditions: list[tuple[str, str, str]] = []
    for named, parameter, text in inner:
        if named not in terms:
            raise RewardError(f"{named}.{parameter} is given, but no weight for it: {named}=0.5")
        if parameter.partition(".")[0] in CONDITIONS:
            conditions.append((named, parameter, text))
        else:
            _set_parameter(terms[named], named, parameter, text)
    looked_at = _add_conditions(terms, conditions)
    # A term of weight 0 that a condition looks at adds nothing: it stands in that condition.
    counted = [
        term for named, term in terms.items() if term["weight"] != 0 or named not in looked_at
    ]
    if not counted:
        raise RewardError(
            "weighted needs at least one term and its weight, such as geoguessr=0.9 format=0.1; "
            f"the terms are: {', '.join(TERMS)}"
        )
    parameters["terms"] = sorted(counted, key=_in_order)
    if any(term["term"] in PLACE_TERMS for term in with_conditions(counted)):
        # Of another version of the gazetteer the same answer may have another score.
        parameters["gazetteer"] = GAZETTEER_VERSION
    return parameters, [f"{key}={text.strip()}" for key, text in params.items()]


def with_conditions(terms: Iterable[Mapping[str, Any]]) -> Iterator[Mapping[str, Any]]:
    """The terms, and behind each those that its conditions look at."""
    for term in terms:
        yield term
        for condition in CONDITIONS:
            yield from term.get(condition, ())


def terms_text(parameters: Mapping[str, Any]) -> list[str]:
    """The terms of a weighted spec's parameters, a short line each, in their order."""
    return [
        " ".join(
            [
                f"{term['weight']:g} * {_term_text(term)}",
                *(
                    f"{condition} {joined.join(map(_term_text, term[condition]))}"
                    for condition, joined in zip(CONDITIONS, (" and ", " or "), strict=True)
                    if condition in term
                ),
            ]
        )
        for term in parameters["terms"]
    ]


def sum_text(parameters: Mapping[str, Any]) -> str:
    """The terms of a weighted spec's parameters on one line, with a minus for a negative weight."""
    first, *others = terms_text(parameters)
    signed = (f"- {text[1:]}" if text.startswith("-") else f"+ {text}" for text in others)
    return " ".join([first, *signed])


def _term_text(term: Mapping[str, Any]) -> str:
    inner = ", ".join(
        f"{key}={value:g}" if isinstance(value, float) else f"{key}={_plain(value)}"
        for key, value in term.items()
        if key not in ("term", "weight", *CONDITIONS)
    )
    return f"{term['term']}({inner})" if inner else str(term["term"])


def _plain(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _add_conditions(
    terms: Mapping[str, dict[str, Any]], given: list[tuple[str, str, str]]
) -> set[str]:
    """Put the conditions into their terms; the names of the terms that they look at."""
    # Copied before any term has a condition: one looks at a term's value, not at whether it counts.
    plain = {named: {k: v for k, v in t.items() if k != "weight"} for named, t in terms.items()}
    chosen: dict[tuple[str, str], dict[str, dict[str, Any]]] = {}
    looked_at: set[str] = set()
    for named, parameter, text in given:
        if parameter not in CONDITIONS:
            continue
        others = _names(text)
        for other in others:
            if other in _NO_NAME:
                raise RewardError(
                    f"a name is missing in {named}.{parameter}, which is {text!r}; give names of "
                    "terms with commas between them, such as parsed,threshold"
                )
            if other == named:
                raise RewardError(f"{named}.{parameter} cannot be {named} itself")
            if other in plain:
                looked_at.add(other)
            elif other not in TERMS:
                example = other if _kind(other) in TERMS else "threshold:near"
                raise RewardError(
                    f"{named}.{parameter} is {other!r}, which is no term of this reward and no "
                    f"kind of term{did_you_mean(other, [*terms, *TERMS])}; give it with a weight, "
                    f"which may be 0: {example}=0"
                )
        chosen[named, parameter] = {other: plain.get(other) or _term(other) for other in others}
    for named, parameter, text in given:
        condition, dot, name = parameter.partition(".")
        if not dot:
            continue
        inline = [other for other in chosen.get((named, condition), {}) if other not in terms]
        if len(inline) > 1:
            inline = [other for other in inline if name in _known_parameters(_term(other))]
        if len(inline) != 1:
            raise RewardError(
                f"{named}.{parameter} is given, but {named}.{condition} names no kind of term that "
                f"it could belong to; write {named}.{condition}=threshold, or set it at the term "
                "that the condition names"
            )
        other = inline[0]
        _set_parameter(
            chosen[named, condition][other], f"{named}.{condition}, {other},", name, text
        )
    for (named, condition), others_by_name in chosen.items():
        terms[named][condition] = sorted(others_by_name.values(), key=_in_order)
    return looked_at


def _names(text: str) -> list[str]:
    """The names in a condition: with commas between them, or as a JSON list."""
    try:
        names = json.loads(text) if text.lstrip().startswith("[") else text.split(",")
    except (ValueError, RecursionError):
        names = text.split(",")
    return [str(name).strip() for name in names or [""]]


def _term(named: str, weight: float | None = None) -> dict[str, Any]:
    """A term with the defaults of its kind; without a weight where it stands in a condition."""
    kind = _kind(named)
    defaults = DISTANCE_KINDS.get(kind, EXTRA_TERMS.get(kind, {}))
    return {"term": kind, **({} if weight is None else {"weight": weight}), **defaults}


def _set_parameter(term: dict[str, Any], named: str, parameter: str, text: str) -> None:
    known = _known_parameters(term)
    if parameter not in known:
        allowed = (
            ", ".join([*sorted(known), *CONDITIONS])
            if "weight" in term
            else (", ".join(sorted(known)) or "none")
        )
        raise RewardError(f"{named} has no parameter {parameter!r}; it has: {allowed}")
    value = read_value(parameter, f"{named}'s {parameter}", text)
    if OPTIONAL.get(term["term"], {}).get(parameter) != value:
        term[parameter] = value


def _known_parameters(term: Mapping[str, Any]) -> set[str]:
    return term.keys() - {"term", "weight"} | OPTIONAL.get(term["term"], {}).keys()


def _kind(named: str) -> str:
    return named.partition(":")[0]


def _in_order(term: Mapping[str, Any]) -> str:
    return json.dumps(term, sort_keys=True)
