"""JSON that a model wrote: read as it is, or repaired where there is one reading."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from geostore.lenient import load_lenient

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


@given(JSON)
def test_json_is_read_as_it_is_and_never_called_repaired(value: object) -> None:
    assert load_lenient(json.dumps(value)) == (value, False)


@given(st.dictionaries(st.text(), JSON, min_size=1, max_size=4))
def test_a_code_fence_and_a_trailing_comma_are_repaired_whatever_the_strings_hold(
    value: dict[str, object],
) -> None:
    broken = json.dumps(value)[:-1] + ",}"
    assert load_lenient(f"```json\n{broken}\n```") == (value, True)


@given(st.text())
def test_no_text_makes_it_raise(text: str) -> None:
    load_lenient(text)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("{'name': 'zoom', 'arguments': {'bbox_2d': [1, 2, 3, 4]}}", {"name": "zoom"}),
        ('{"name": "zoom", "label": None}', {"name": "zoom", "label": None}),
        ('{"name": "zoom", "deep": True,}', {"name": "zoom", "deep": True}),
    ],
)
def test_what_python_would_have_written_is_repaired(text: str, value: dict[str, object]) -> None:
    found, repaired = load_lenient(text)
    assert repaired
    assert found.items() >= value.items()


@pytest.mark.parametrize(
    "text",
    ["", "{", "name: zoom", '{"a": "it\'s",, }', "{'a': \"b\"}", "[" * 5000, '{"a" "b"}'],
)
def test_what_has_more_than_one_reading_or_none_is_not_guessed_at(text: str) -> None:
    assert load_lenient(text) == (None, False)


def test_words_inside_strings_are_left_alone() -> None:
    assert load_lenient('{"label": "None, True,]",}') == ({"label": "None, True,]"}, True)
