"""What Python shows of a record: one line, with what is known, and enough to tell it by."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from geostore.one_line import WIDTH, OneLine
from tests.trace_parts import SAMPLE, TURN


@dataclass(frozen=True, slots=True, repr=False)
class Thing(OneLine):
    first: Any = None
    second: Any = None
    third: dict[str, Any] = field(default_factory=dict)


@given(
    st.lists(
        st.none() | st.text() | st.floats() | st.integers() | st.lists(st.text() | st.integers()),
        min_size=2,
        max_size=2,
    ),
    st.dictionaries(st.text(), st.text()),
)
def test_a_record_is_shown_in_one_line(values: list[Any], third: dict[str, Any]) -> None:
    """Whatever it holds: line breaks, a whole prompt, a number with 300 digits."""
    first, second = values
    shown = repr(Thing(first, second, third))
    assert len(shown) <= WIDTH
    assert shown.isprintable()
    assert shown.startswith("Thing(")


def test_what_is_not_known_is_left_out_and_long_things_are_cut_or_counted() -> None:
    assert repr(Thing()) == "Thing()"
    assert repr(Thing("a\nb", 0.123456789)) == r"Thing(first='a\nb', second=0.123457)"
    assert repr(Thing("x" * 50, ("a", "b"), {"k": 1})) == (
        f"Thing(first='{'x' * 23}…', second=('a', 'b'), third=<1>)"
    )
    assert repr(Thing(Thing(1), tuple("y" * 30 for _ in range(4)))) == (
        "Thing(first=Thing(…), second=<4>)"
    )
    assert repr(Thing(0, False)) == "Thing(first=0, second=False)"


def test_a_record_shows_its_own_members_first() -> None:
    """A turn inherits its token counts, which do not tell one turn from another."""
    assert repr(TURN).startswith("Turn(turn=1, response='Ein Schild")
    assert len(repr(replace(TURN, response="…\n" * 5000))) <= WIDTH
    assert repr(SAMPLE).startswith("Sample(sample_index=3, lat=48, lon=11, ")
