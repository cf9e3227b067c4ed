"""A real browser for the tests of this folder, where the machine has one."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.browser import Browser, chromium


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    program = chromium()
    if program is None:
        pytest.skip("no Chromium on this machine (Debian: apt-get install chromium)")
    running = Browser(program)
    yield running
    running.close()
