from __future__ import annotations

import json
import threading
from typing import Any

import pytest
from PIL import Image

from geostore.demo.server import make_server, offline_teacher
from geostore.errors import DemoError
from tests.demo.client import Client, first_messages, image_part, jpeg

BLANK = jpeg(Image.new("RGB", (320, 240), "gray"))


def chat(client: Client, body: Any) -> tuple[int, Any]:
    return client.request("POST", "/chat/completions", json.dumps(body).encode())


def test_models_are_listed(client: Client) -> None:
    """A client that asks for models finds the one."""
    status, answer = client.request("GET", "/models")
    assert status == 200
    assert [model["id"] for model in answer["data"]] == ["offline-teacher"]


def user(*parts: Any) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": list(parts)}]}


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ([], "must be an object"),
        ({}, "'messages'"),
        ({"messages": []}, "'messages'"),
        ({"messages": ["hi"]}, "must be an object"),
        ({"messages": [{"role": "wizard", "content": "hi"}]}, "wizard"),
        ({"messages": [{"role": "user", "content": 7}]}, "'content'"),
        (user({"type": "input_audio"}), "input_audio"),
        (user({"type": "image_url", "image_url": {"url": "https://x.test/a.jpg"}}), "data URL"),
        (user({"type": "image_url", "image_url": "data:image/png;base64,AA"}), "data URL"),
        (
            user({"type": "image_url", "image_url": {"url": "data:image/png;base64,A"}}),
            "base64",
        ),
        (user(image_part(b"no image")), "cannot be decoded"),
    ],
)
def test_a_bad_request_is_refused_in_the_form_of_the_api(
    client: Client, body: Any, said: str
) -> None:
    """400 and an error object that says what is wrong; the connection stays usable."""
    status, answer = chat(client, body)
    assert status == 400
    assert answer["error"]["type"] == "invalid_request_error"
    assert said in answer["error"]["message"]
    assert client.request("GET", "/models")[0] == 200


def test_what_is_no_json_and_what_is_nowhere_are_refused(client: Client) -> None:
    """Broken bodies and other paths do not stop the server."""
    assert client.request("POST", "/chat/completions", b"{")[0] == 400
    assert client.request("POST", "/embeddings", b"{}")[0] == 404
    assert client.request("GET", "/elsewhere")[0] == 404


def test_usage_counts_text_and_image_area(client: Client) -> None:
    """Tokens are plausible and add up; a larger image costs more."""
    counts = []
    for width in (280, 560):
        data = jpeg(Image.new("RGB", (width, 280), "gray"))
        messages = first_messages(data, (width, 280), protocol="none", frame="pixel")
        _, answer = chat(client, {"model": "any", "messages": messages})
        usage = answer["usage"]
        assert usage["total_tokens"] == usage["prompt_tokens"] + usage["completion_tokens"]
        assert answer["model"] == "any"
        counts.append(usage["prompt_tokens"])
    assert counts[1] - counts[0] == 280 * 280 // 784


def test_a_reply_longer_than_max_tokens_is_cut(client: Client) -> None:
    """finish_reason says length, and half a call is not passed off as one."""
    messages = first_messages(BLANK, (320, 240), protocol="native", frame="pixel")
    body = {"messages": messages, "tools": [{"type": "function"}]}
    whole = client.complete(body)
    assert whole["finish_reason"] == "tool_calls"
    cut = client.complete({**body, "max_tokens": 10})
    assert cut["finish_reason"] == "length"
    assert "tool_calls" not in cut["message"]
    assert len(cut["message"]["content"]) == 40


def test_a_message_without_a_photo_is_answered(client: Client) -> None:
    """A client that only tries the line gets a completion."""
    status, answer = chat(client, {"messages": [{"role": "user", "content": "hello"}]})
    assert status == 200
    assert "boxed" in answer["choices"][0]["message"]["content"]


def test_many_requests_at_once_are_all_answered(teacher_url: str) -> None:
    """More connections than looking threads: none is lost, all agree."""
    messages = first_messages(BLANK, (320, 240), protocol="text", frame="norm1000")
    answers: list[str] = []

    def ask() -> None:
        client = Client(teacher_url)
        answers.append(client.complete({"messages": messages})["message"]["content"])
        client.close()

    threads = [threading.Thread(target=ask) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(answers) == 12
    assert len(set(answers)) == 1


def test_a_teacher_that_cannot_start_says_why() -> None:
    """The child's complaint becomes the error of whoever started it."""
    with pytest.raises(DemoError, match="psychic"), offline_teacher(reader="psychic"):
        pass


def test_a_port_in_use_is_an_error_with_its_number() -> None:
    """No traceback for the most ordinary of failures."""
    first = make_server()
    try:
        with pytest.raises(DemoError, match=str(first.server_port)):
            make_server(port=first.server_port)
    finally:
        first.server_close()
