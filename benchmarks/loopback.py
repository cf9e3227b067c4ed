"""A chat-completions server on loopback, in a process of its own, whose CPU is nobody's.

What it says follows from the photo and the turn alone, so every client has the same
conversations: two to four turns, three on average; zooms and rotations, then an answer; about 1 KB
of text in each response. It looks at a request without parsing it.

As a program (`loopback.py --latency SECONDS`) it writes its port to stdout and serves until it is
terminated. `GET /received` tells, and sets back to zero, what was received.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import re
import subprocess
import sys
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.request import urlopen

MODEL = "bench-vl"
RESPONSE_BYTES = 1024
_ASSISTANT = re.compile(rb'"role": ?"assistant"')
_PROSE = (
    "the road signs here look northern and a kerb of granite runs along it while low houses with "
    "steep roofs stand behind hedges of beech so that coast or island seem likely although poles "
    "of wood carry two wires and markings are white on worn asphalt under soft light from west"
)


@dataclass
class Received:
    """What clients sent since it was last asked for; images counted in every request again."""

    requests: int = 0
    images: int = 0
    body_bytes: int = 0


# --- for clients ---------------------------------------------------------------------------------


@contextmanager
def loopback_server(*, latency: float) -> Iterator[str]:
    """Start the server's process; its base URL. latency: seconds before each answer."""
    command = [sys.executable, __file__, "--latency", str(latency)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield f"http://127.0.0.1:{int(process.stdout.readline())}/v1"
        finally:
            process.terminate()


def take_received(url: str) -> Received:
    """What the server at this base URL received since this was last asked."""
    with urlopen(f"{url.removesuffix('/v1')}/received") as response:
        return Received(**json.load(response))


# --- the server ----------------------------------------------------------------------------------


async def serve(latency: float) -> None:
    received = Received()
    nothing = vars(Received())

    async def connection(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                if head.startswith(b"GET"):
                    _write(writer, vars(received))
                    vars(received).update(nothing)
                    continue
                length = re.search(rb"(?i)content-length: *(\d+)", head)
                body = await reader.readexactly(int(length[1])) if length else b""
                received.requests += 1
                received.images += body.count(b";base64,")
                received.body_bytes += len(body)
                await asyncio.sleep(latency)
                _write(writer, _completion(body))
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    server = await asyncio.start_server(connection, "127.0.0.1", 0, limit=1 << 22, backlog=256)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


def _write(writer: asyncio.StreamWriter, value: dict[str, Any]) -> None:
    body = json.dumps(value).encode()
    head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(body)}"
    writer.write(head.encode() + b"\r\n\r\n" + body)


def _completion(body: bytes) -> dict[str, Any]:
    turn = len(_ASSISTANT.findall(body))
    start = body.find(b";base64,")
    seed = zlib.crc32(body[start : start + 65_536])
    return {
        "id": f"chatcmpl-{seed:08x}{turn}",
        "object": "chat.completion",
        "created": 1_700_000_000,
        "model": MODEL,
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": _response(seed, turn), "refusal": None},
                "logprobs": None,
                "finish_reason": "stop",
            }
        ],
        "usage": {"prompt_tokens": 1500, "completion_tokens": 260, "total_tokens": 1760},
    }


def _response(seed: int, turn: int) -> str:
    """Prose, then a call or the answer; `RESPONSE_BYTES` long."""
    chance = random.Random(seed * 8 + turn)
    turns = (2, 3, 3, 4)[seed % 4]
    if turn + 1 >= turns:
        lat, lon = chance.uniform(-60, 60), chance.uniform(-170, 170)
        end = f"<answer>\\boxed{{{lat:.4f}, {lon:.4f}}}</answer>"
    elif turn == 1 and seed % 8 < 4:
        end = _call("image_rotate_tool", {"angle": chance.choice((90, 180, -90))})
    else:
        x, y = chance.randrange(0, 600), chance.randrange(0, 600)
        width, height = chance.randrange(150, 400), chance.randrange(150, 400)
        end = _call("image_zoom_in_tool", {"bbox_2d": [x, y, x + width, y + height]})
    words = _PROSE.split()
    prose = ""
    while len(prose) < RESPONSE_BYTES:
        prose += " ".join(chance.choices(words, k=16)).capitalize() + ". "
    return f"{prose[: RESPONSE_BYTES - len(end) - 2].rstrip()}\n\n{end}"


def _call(name: str, arguments: dict[str, Any]) -> str:
    return f"<tool_call>\n{json.dumps({'name': name, 'arguments': arguments})}\n</tool_call>"


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Serve canned conversations on loopback.")
    parser.add_argument("--latency", type=float, default=0.0, help="seconds before each answer")
    asyncio.run(serve(parser.parse_args().latency))
