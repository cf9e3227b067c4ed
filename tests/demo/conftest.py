"""Eight photos, one of each kind and two of the easy and the small, and one offline teacher."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from geostore.demo.photos import iter_samples
from geostore.demo.server import offline_teacher
from tests.demo.client import Client, Outcome


@pytest.fixture(scope="session")
def photos() -> list[dict[str, Any]]:
    return list(iter_samples(samples=8, seed=3))


@pytest.fixture(scope="session")
def by_kind(photos: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    return {photo["kind"]: photo for photo in photos}


@pytest.fixture(scope="session")
def teacher_url() -> Iterator[str]:
    with offline_teacher() as url:
        yield url


@pytest.fixture(scope="session")
def outcomes(photos: list[dict[str, Any]], teacher_url: str) -> list[Outcome]:
    """What came of each photo with tools, in the text protocol and the pixel frame."""
    connection = Client(teacher_url)
    found = [connection.place(photo["image"]["bytes"]) for photo in photos]
    connection.close()
    return found


@pytest.fixture
def client(teacher_url: str) -> Iterator[Client]:
    connection = Client(teacher_url)
    yield connection
    connection.close()
