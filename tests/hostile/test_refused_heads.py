"""What HAProxy refuses itself, from a request's head: at once, in the shapes of the APIs. No cluster."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest

from tests.hostile.http2 import OPENED, call, frame
from tests.hostile.test_edge import AT_ONCE_S, HEAD, HEAD_SECONDS, KEY, REPLACED_S
from tests.support.edge import Edge, running_edge

# A stream of HTTP/2 that is over: RST_STREAM of the first one.
ENDED = b"\3\0\0\0\0\1"


@pytest.fixture(scope="module")
def keyed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Edge]:
    """Where clients need a key."""
    with running_edge(tmp_path_factory.mktemp("keyed"), api_key=KEY, head_timeout_s=30) as running:
        yield running


WEBSOCKET = (
    b"connection: upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\n"
    b"sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
)
AT_ONCE = {
    "another protocol": (b"GET /v1/models HTTP/1.1\r\nhost: a\r\n" + WEBSOCKET, b"400"),
    "another protocol, with a body": (HEAD + WEBSOCKET + b"content-length: 2\r\n", b"400"),
    "an offer of another protocol": (
        b"GET /v1/models HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\nupgrade: h2c\r\n",
        b"200",
    ),
    "a little too long": (HEAD + b"content-length: 52428801\r\n", b"413"),
    "much too long": (HEAD + b"content-length: 1000000000000\r\n", b"413"),
    "a name of a session that is no text": (
        b"GET /v1/models HTTP/1.1\r\nhost: a\r\nx-session-id: \xff\r\n",
        b"400",
    ),
    "a body where none is taken": (b"POST /healthz HTTP/1.1\r\nhost: a\r\ncontent-length: 30000\r\n", b"400"),
    "the same in other letters": (
        b"POST /%68ealth%7a HTTP/1.1\r\nhost: a\r\ncontent-length: 30000\r\n",
        b"400",
    ),
    "the same in pieces": (b"PUT /readyz HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n", b"400"),
    "a body for Serve": (b"GET /-/routes HTTP/1.1\r\nhost: a\r\ncontent-length: 1\r\n", b"400"),
    "a body of a question for what is allowed": (
        b"OPTIONS /v1/models HTTP/1.1\r\nhost: a\r\ncontent-length: 30000\r\n",
        b"400",
    ),
    "no body there": (b"GET /healthz HTTP/1.1\r\nhost: a\r\n", b"200"),
    "no path": (b"OPTIONS * HTTP/1.1\r\nhost: a\r\n", b"400"),
    "a method that is none": (b"FOO /v1/models HTTP/1.1\r\nhost: a\r\n", b"400"),
    "a method in small letters": (b"get /v1/models HTTP/1.1\r\nhost: a\r\n", b"400"),
    "longer than a number": (HEAD + b"content-length: 18446744073709551616\r\n", b"413"),
}


@pytest.mark.parametrize("name", AT_ONCE)
def test_what_its_head_refuses_is_refused_at_once(keyed: Edge, name: str) -> None:
    head, status = AT_ONCE[name]
    answer = answer_to(keyed, head)
    assert answer.startswith(b"HTTP/1.1 " + status)
    assert (b"x-voyager-trace-id: " in answer) == (status != b"200"), "in the shape of the API"


@pytest.mark.parametrize("asked", ["", "book-7:a"], ids=["new", "the caller's"])
@pytest.mark.parametrize("path", ["/v1/chat/completions", "/api/v1/models/m/completions"])
def test_a_refusal_names_its_trace(keyed: Edge, path: str, asked: str) -> None:
    given = f"x-trace-id: {asked}\r\n" if asked else ""
    head = f"POST {path} HTTP/1.1\r\nhost: a\r\n{given}content-length: 1000000000000\r\n"
    lines, _, body = answer_to(keyed, head.encode()).decode().partition("\r\n\r\n")
    told = dict(line.split(": ", 1) for line in lines.split("\r\n")[1:])
    document = json.loads(body)
    named = document["details"][1]["request_id"] if "details" in document else document["error"]["trace_id"]
    assert named == told["x-request-id"] == told["x-voyager-trace-id"]
    assert named == asked if asked else len(named) == 36


def test_a_stranger_is_refused_before_any_of_the_body(keyed: Edge) -> None:
    assert answer_to(keyed, HEAD + b"content-length: 1000\r\n").startswith(b"HTTP/1.1 401")


@pytest.mark.parametrize("header", ["authorization: Bearer a", "api-key: a", "X-Api-Key: a"])
def test_the_body_of_whoever_presents_a_key_is_waited_for(keyed: Edge, header: str) -> None:
    """In whichever header: a client that stops there holds no place of the service's."""
    head = HEAD + f"{header}\r\ncontent-length: 10\r\n\r\n".encode()
    with socket.create_connection(("127.0.0.1", keyed.http_port), timeout=AT_ONCE_S) as connection:
        connection.sendall(head)
        connection.settimeout(0.5)
        with pytest.raises(TimeoutError):
            connection.recv(4096)
        connection.settimeout(AT_ONCE_S)
        connection.sendall(b"0123456789")
        assert connection.recv(4096).startswith(b"HTTP/1.1 200")


@pytest.mark.parametrize(
    ("origins", "origin", "told"),
    [
        ("https://a.example,https://b.example", "https://b.example", "https://b.example"),
        ("https://a.example,https://b.example", "https://c.example", None),
        ("https://a.example", "https://a.example.evil.example", None),
        ("*", "https://c.example", "*"),
        ("", "https://a.example", None),
    ],
)
def test_a_page_learns_what_haproxy_itself_refuses(
    tmp_path: Path, origins: str, origin: str, told: str | None
) -> None:
    with running_edge(tmp_path, cors_origins=origins) as edge:
        head = HEAD + f"origin: {origin}\r\ncontent-length: 99999999\r\n".encode()
        lines = answer_to(edge, head).decode().lower().split("\r\n")
    assert lines[0].startswith("http/1.1 413")
    found = [line for line in lines if line.startswith("access-control-allow-origin")]
    assert found == ([f"access-control-allow-origin: {told}"] if told else [])


CHECK = "/grpc.health.v1.Health/Check"


def test_a_call_without_a_key_is_whole_before_a_router_sees_it(tmp_path: Path) -> None:
    """Else whoever sends it byte by byte has a request under way, and a stop waits for it."""
    with (
        running_edge(tmp_path, api_key=KEY, head_timeout_s=HEAD_SECONDS) as edge,
        socket.create_connection(("127.0.0.1", edge.grpc_port), HEAD_SECONDS + REPLACED_S) as slow,
    ):
        slow.sendall(OPENED + frame(1, 4, 1, call(CHECK.encode())) + frame(0, 0, 1, b"\0\0\0\1\0"))
        received = b""
        while ENDED not in received and (piece := slow.recv(4096)):
            received += piece
    assert b"408" in received, "HAProxy's own answer"


def test_a_call_without_a_key_is_short(keyed: Edge) -> None:
    with grpc.insecure_channel(f"127.0.0.1:{keyed.grpc_port}") as channel:
        with pytest.raises(grpc.RpcError) as caught:
            channel.unary_unary(CHECK)(b"x" * 2000, timeout=AT_ONCE_S)
        assert caught.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        with pytest.raises(grpc.RpcError) as caught:
            channel.unary_unary(CHECK)(b"x" * 100, timeout=AT_ONCE_S)
        assert caught.value.code() is grpc.StatusCode.UNAUTHENTICATED, "what this replica says to everything"


def answer_to(edge: Edge, head: bytes) -> bytes:
    with socket.create_connection(("127.0.0.1", edge.http_port), timeout=AT_ONCE_S) as connection:
        connection.sendall(head + b"\r\n")
        return connection.recv(4096)
