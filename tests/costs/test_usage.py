"""What servers say that they billed: one table of their usage objects, and what each means."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from geostore.costs.usage import COUNT_NAMES, kept_usage, read_kept_usage, read_usage
from geostore.records import TokenCounts
from tests.usage_objects import ODD, SERVERS


@pytest.mark.parametrize(("usage", "counts"), [*SERVERS.values(), *ODD.values()], ids=str)
def test_a_usage_object_is_read_as_it_is_billed(usage: dict[str, Any], counts: TokenCounts) -> None:
    assert read_usage(usage) == counts


def test_the_usage_stands_in_several_places_of_a_response() -> None:
    """Groq's and Moonshot's in the last part of a stream; llama.cpp's may be timings alone."""
    usage = {"prompt_tokens": 9, "completion_tokens": 3}
    for body, choice in (
        ({"usage": usage}, {}),
        ({"usage": None}, {"usage": usage}),
        ({"usage": {}, "x_groq": {"id": "req_1", "usage": usage}}, {}),
        ({"usageMetadata": usage}, {}),
        ({"usage": usage, "timings": {"predicted_n": 4}}, {}),
    ):
        assert kept_usage(body, choice) == '{"completion_tokens":3,"prompt_tokens":9}'
    assert kept_usage({"timings": {"predicted_n": 4}}, {}) == '{"predicted_n":4}'
    without: list[dict[str, Any]] = [{}, {"usage": None}, {"usage": {}}, {"usage": 7}]
    for body in (*without, {"x_groq": "no"}):
        assert kept_usage(body, {"usage": "no"}) is None


def test_the_tier_of_the_body_is_kept_with_the_usage_and_not_in_place_of_its_own() -> None:
    usage = {"prompt_tokens": 9, "completion_tokens": 3}
    kept = kept_usage({"usage": usage, "service_tier": "Flex"}, {})
    assert kept == '{"completion_tokens":3,"prompt_tokens":9,"service_tier":"Flex"}'
    assert read_kept_usage(kept).service_tier == "flex"
    own = kept_usage({"usage": {**usage, "service_tier": "batch"}, "service_tier": "default"}, {})
    assert read_kept_usage(own).service_tier == "batch"
    assert read_kept_usage(None) == TokenCounts()


VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(min_value=-(2**63), max_value=2**63 - 1)
    | st.floats(allow_nan=False)
    | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=4,
)
COUNT = st.integers(min_value=0, max_value=10**6)
NAMES = st.sampled_from(sorted({name for usage, _ in SERVERS.values() for name in usage}))


@given(st.dictionaries(NAMES, VALUES | COUNT))
def test_whatever_a_server_sends_is_read_and_adds_up(usage: dict[str, Any]) -> None:
    """No part is greater than its whole, and nothing that was billed is left out of the sum."""
    counts = read_kept_usage(kept_usage({"usage": usage}, {}))
    for name in COUNT_NAMES:
        value = getattr(counts, name)
        assert value is None or name == "service_tier" or value >= 0
    prompt, completion = counts.prompt_tokens, counts.completion_tokens
    if prompt is not None:
        assert (counts.cached_tokens or 0) + (counts.cache_write_tokens or 0) <= prompt
        if completion is not None:
            assert counts.total_tokens == prompt + completion
    if completion is not None:
        assert (counts.reasoning_tokens or 0) <= completion
        assert (counts.total_tokens or completion) >= completion


@given(prompt=COUNT, completion=COUNT, total=COUNT)
def test_the_output_is_never_less_than_the_total_without_the_prompt(
    prompt: int, completion: int, total: int
) -> None:
    usage = {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": total}
    counts = read_usage(json.loads(json.dumps(usage)))
    if prompt:
        assert counts.prompt_tokens == prompt
        assert counts.completion_tokens == max(completion, total - prompt)
