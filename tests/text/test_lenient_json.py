"""JSON that a model wrote: read as it is, or repaired where there is one reading."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from geostore.text.lenient_json import load_lenient

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
        ("{'name': \"zoom\", 'label': \"driver's side\"}", {"label": "driver's side"}),
        (
            "{'label': 'it\\'s \"here\"', 'at': '\\u00e9\\n'}",
            {"label": 'it\'s "here"', "at": "é\n"},
        ),
        ('{"label": "one\ntwo"}', {"label": "one\ntwo"}),
        ('```{"a": 1}```', {"a": 1}),
        ('```json {"a": 1} ```', {"a": 1}),
        ('{"a"：[1，2、３]}', {"a": [1, 2, 3]}),
        ('｛"a"：－１．５｝', {"a": -1.5}),
        ('{“a”: “it\'s \\"here\\"”}', {"a": 'it\'s "here"'}),
        ('{"a": (1, -2.5), "b": (1,)}', {"a": [1, -2.5], "b": [1]}),
        ('{"a": 1}}', {"a": 1}),
        ('{"a": [1]}]} }', {"a": [1]}),
        ('{{"a": {{"b": [1]}}}}', {"a": {"b": [1]}}),
        ('{{"a": {"b": [1]}}}', {"a": {"b": [1]}}),
        ('{{"a": {"b": [1]}}', {"a": {"b": [1]}}),
        ('{ {"a": "{{"} }', {"a": "{{"}),
    ],
)
def test_what_python_would_have_written_is_repaired(text: str, value: dict[str, object]) -> None:
    found, repaired = load_lenient(text)
    assert repaired
    assert found.items() >= value.items()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "name: zoom",
        '{"a": "it\'s",, }',
        "{'label': 'Joe's bar'}",
        "{'label': 'a', 'label': 'b'}",
        '{"a": 1, "a": 2}',
        '{"a": {"b": [1, 2], "b": [1, 3]}}',
        "{a: 1}",
        '{"a": 1} {"b": 2}',
        '{"a": 1',
        '```json\n{"a": 1}',
        "{'a': 'b\\'}",
        "[" * 5000,
        '{"a" "b"}',
        '{{"a": {{"b": [1]}}',
        '{{"a": 1',
        '{"a": 1}} and',
        '{"a": 1}}{',
        "1}",
        '"a"]',
        '{“a": 1}',
        '{"a"；1}',
        '{"a": f(1)}',
        '{"a": (1, 2]}',
        '{"a": [1, 2)}',
        '{"a": 1} (or 2)',
    ],
)
def test_what_has_more_than_one_reading_or_none_is_not_guessed_at(text: str) -> None:
    assert load_lenient(text) == (None, False)


def test_words_inside_strings_are_left_alone() -> None:
    assert load_lenient('{"label": "“東京”：１，}}",}') == ({"label": "“東京”：１，}}"}, True)
    assert load_lenient('{"label": "None, True,]",}') == ({"label": "None, True,]"}, True)


def test_a_name_that_is_given_the_same_value_twice_has_one_reading() -> None:
    assert load_lenient('{"a": [1], "a": [1]}') == ({"a": [1]}, False)


PYTHON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.sampled_from("ab'\"\n{},: é")),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text(st.sampled_from("ab'\"")), inner, max_size=4)
    ),
    max_leaves=12,
)


@given(st.dictionaries(st.sampled_from(["name", "label", "a b"]), PYTHON, min_size=1))
def test_what_python_prints_is_read_as_what_was_printed(value: dict[str, object]) -> None:
    """Whichever quotes Python chose, and whatever quotes stand inside."""
    assert load_lenient(repr(value)) == (value, load_lenient(repr(value))[1])


@pytest.mark.parametrize(
    "unit",
    ["'", '"', "\\'", "\\", ", ]", "'\"", "```", "None", "}{", "{", "“", "“”", "："],
)
@pytest.mark.parametrize("head", ["{", "{'", '{"'])
def test_hostile_text_is_read_once_and_not_over_and_over(head: str, unit: str) -> None:
    """Ten times what a response can hold; a reader that went back over it would not return."""
    assert load_lenient(head + unit * 100_000) == (None, False)
