"""Makers give the records that the constructors of their classes give."""

from __future__ import annotations

import copy
import dataclasses
import pickle

import pytest

from geostore.makers import maker_of
from geostore.records import ImageFacts, TraceKey, Turn


def test_a_made_record_is_as_one_that_its_constructor_makes() -> None:
    """It is equal, prints alike, and can be copied, pickled and replaced."""
    usual = ImageFacts("0a", 640, 480, 1280, 960)
    made = maker_of(ImageFacts)("0a", 640, 480, 1280, 960, None)
    assert type(made) is ImageFacts
    assert (made, hash(made), repr(made)) == (usual, hash(usual), repr(usual))
    assert copy.copy(made) == pickle.loads(pickle.dumps(made)) == usual
    assert dataclasses.replace(made, width=320) == dataclasses.replace(usual, width=320)
    assert str(maker_of(TraceKey)(7, "abcdef0123", 2, label=None)) == "7-abcdef01-2"


def test_a_made_record_is_frozen() -> None:
    made = maker_of(TraceKey)(7, "ab", 1, None)
    with pytest.raises(dataclasses.FrozenInstanceError):
        made.rollout = 2  # type: ignore[misc]
    with pytest.raises(dataclasses.FrozenInstanceError):
        del made.rollout


def test_a_maker_takes_inherited_fields_first_and_every_field() -> None:
    """So a column that is missing is an error, and no default stands for it."""
    make = maker_of(Turn)
    names = [field.name for field in dataclasses.fields(Turn)]
    made = make(*range(len(names)))
    assert {name: getattr(made, name) for name in names} == dict(
        zip(names, range(99), strict=False)
    )
    with pytest.raises(TypeError):
        make(*range(len(names) - 1))
