"""Sends requests to a teacher's server through the client, without a run around it."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from geostore.errors import TeacherError
from geostore.teacher import KeyChoice, Teacher, Travel
from tests.teacher_server import TeacherServer

BODY = json.dumps({"model": "test", "messages": []}).encode()


def ask(
    server: TeacherServer | str,
    *,
    times: int = 1,
    timeout: float = 5.0,
    bodies: tuple[bytes, ...] = (),
    travel: Travel | None = None,
    api_key: str | KeyChoice = "sk-secret",
) -> list[Any]:
    """The reply or the error of each of so many requests, or of these bodies, in order."""
    url = server if isinstance(server, str) else server.url

    async def run() -> list[Any]:
        outcomes: list[Any] = []
        async with Teacher(
            base_url=url, api_key=api_key, travel=travel, request_timeout=timeout
        ) as teacher:
            for body in bodies or (BODY,) * times:
                try:
                    outcomes.append(await teacher.ask(body))
                except TeacherError as error:
                    outcomes.append(error)
        return outcomes

    return asyncio.run(run())
