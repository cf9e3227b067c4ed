"""Bodies of chat completions as a server sends them, and a look at the rows they became."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from geostore.store import Store
from tests.teacher_server import Fault

USAGE = {"prompt_tokens": 100, "completion_tokens": 20, "total_tokens": 120}
JSON = {"Content-Type": "application/json"}


def completion(
    message: dict[str, Any], finish_reason: str | None = "stop", **choice: Any
) -> dict[str, Any]:
    """The body of a reply; message: without its role. choice: further members of the choice."""
    message = {"role": "assistant", **message}
    choice = {"index": 0, "message": message, "finish_reason": finish_reason, **choice}
    return {"id": "r1", "model": "m", "choices": [choice], "usage": USAGE}


def fault(body: Any, status: int = 200, **headers: str) -> Fault:
    """A reply of these bytes, or of this value as JSON."""
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Fault(status, raw, {**JSON, **{k.replace("_", "-"): v for k, v in headers.items()}})


def rows(store_path: Path, query: str) -> list[tuple[Any, ...]]:
    with Store.open(store_path) as store:
        return [tuple(row) for row in store.db.connection.execute(query)]
