"""Over real sockets, through HAProxy: names in paths, methods, keys, and streams that are waited for."""

from __future__ import annotations

import json
import secrets
import socket
from typing import Any

import httpx
import openai
import pytest

from scripts.fake_provider.running import FakeProvider
from tests.support.running import RunningService

# The default: the run says nothing else.
KEEP_ALIVE_S = 15.0
MESSAGES: list[Any] = [{"role": "user", "content": "hello"}]


@pytest.fixture
def model(running: RunningService, provider: FakeProvider) -> str:
    """One that answers at once."""
    name = f"paths-{secrets.token_hex(4)}"
    running.model(name, provider.profile(name))
    return name


@pytest.mark.parametrize(
    "path", ["/chat/completions", "/v1/chat/completions/", "/openai/v1/chat/completions"]
)
def test_other_base_addresses(running: RunningService, model: str, path: str) -> None:
    answer = running.http.post(path, json={"model": model, "messages": MESSAGES})
    assert answer.status_code == 200, answer.text


def test_a_deployment_whose_name_is_percent_encoded(running: RunningService, model: str) -> None:
    written = "".join(f"%{ord(letter):02x}" for letter in model)
    for name in (model, written):
        path = f"/openai/deployments/{name}/chat/completions?api-version=2024-10-21"
        answer = running.http.post(path, json={"messages": MESSAGES, "model": "nobody"})
        assert answer.headers["x-voyager-model"] == model
    # What is written so is one name with a slash in it, and not two steps of a path.
    answer = running.http.get("/v1/models/some%2Fbody%2525")
    assert "'some/body%25'" in answer.json()["error"]["message"]


def test_azures_own_client(running: RunningService, model: str) -> None:
    with openai.AzureOpenAI(
        azure_endpoint=running.url, api_key="-", api_version="2024-10-21", max_retries=0
    ) as client:
        assert client.chat.completions.create(model=model, messages=MESSAGES).choices[0].message.content


@pytest.mark.parametrize("path", ["/v1/models", "/api/v1/models", "/healthz"])
def test_head_leaves_the_connection_in_order(running: RunningService, path: str) -> None:
    """What a body too many would spoil is the next answer."""
    with socket.create_connection(("127.0.0.1", running.http_port), timeout=10) as connection:
        for _ in range(3):
            connection.sendall(f"HEAD {path} HTTP/1.1\r\nhost: a\r\n\r\n".encode())
            head = b""
            while not head.endswith(b"\r\n\r\n"):
                head += connection.recv(1)
            assert head.startswith(b"HTTP/1.1 200"), head
        connection.setblocking(False)
        with pytest.raises(BlockingIOError):
            connection.recv(1)


def test_options_and_wrong_methods(running: RunningService) -> None:
    asked = running.http.options("/v1/chat/completions")
    assert (asked.status_code, asked.headers["allow"], asked.content) == (204, "OPTIONS, POST", b"")
    wrong = running.http.get("/v1/chat/completions")
    assert (wrong.status_code, wrong.headers["allow"]) == (405, "OPTIONS, POST")


def test_who_waits_for_a_stream_hears_of_it(running: RunningService, provider: FakeProvider) -> None:
    name = f"thinks-{secrets.token_hex(4)}"
    running.model(name, provider.profile(name, latency_s=KEEP_ALIVE_S + 2))
    body = {"model": name, "messages": MESSAGES, "stream": True}
    with running.http.stream("POST", "/v1/chat/completions", json=body) as answer:
        assert answer.status_code == 200
        lines = answer.iter_lines()
        assert next(lines) == ": keep-alive"
        assert provider.seen(name)["completed"] == 0, "it came before the answer did"
        events = [json.loads(line[6:]) for line in lines if line.startswith("data: {")]
    assert events
    assert not [event for event in events if "error" in event]


def test_a_page_may_not_call_where_nobody_said_so(running: RunningService) -> None:
    headers = {"origin": "https://app.example", "access-control-request-method": "POST"}
    answer: httpx.Response = running.http.options("/v1/chat/completions", headers=headers)
    assert not [name for name in answer.headers if name.startswith("access-control")]
