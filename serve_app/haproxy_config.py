"""Amends the HAProxy configuration that Ray Serve generated: addresses, limits, time-outs.

Serve has no hook for any of it (`docs/decisions/0005-haproxy.md`). `haproxy.sh` runs this before each start
and reload of HAProxy. An edit that finds nothing to edit is an error: Serve's template has changed, and what
was meant to hold would silently hold no longer.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from pathlib import Path

from deployments.ingress.keyless import PATHS, SERVES_OWN, SERVICES
from serve_app.connection_limits import ConnectionLimits, FrontEnd, files_allowed
from serve_app.haproxy_refusals import (
    BODY,
    GRPC_STARTING,
    HEADER,
    METHOD,
    STARTING,
    TARGET,
    TOO_LARGE,
    TOO_LONG_A_CALL,
    TOO_MANY_CALLS,
    TOO_MANY_REQUESTS,
    UPGRADE,
)
from voyager_llm.domain.request import BEARER, PLAIN_KEYS
from voyager_llm.settings import Settings, settings

_GRACE_SECONDS = 1.0
# Connections that one address may have as long as there is room at all: one, and those that it is closing.
_FEW = 3
# HAProxy's own end of the administration socket; `supervisor.py` stands at the one that Serve knows.
OWN_SOCKET = ".own"

# An IPv6 network of one client is a /64: it would not run out of addresses in it.
_CLIENT = "src,ipmask(32,64)"
_TABLES = """\
backend http_connections
    stick-table type ipv6 size 100k expire 1m store conn_cur
backend grpc_connections
    stick-table type ipv6 size 100k expire 1m store conn_cur
backend calls
    stick-table type ipv6 size 100k expire 1m store conn_cur
"""


def amended(config: str, limits: Settings, files: int) -> str:
    """``config`` as Serve generated it, amended; ``files`` is the number of files HAProxy may open.

    Raises `ValueError` for a configuration that is not as Serve 2.60 generates it."""
    connections = ConnectionLimits.of(limits, files)
    edits: dict[str, Callable[[str], str]] = {
        "global": lambda text: _global(text, connections),
        "defaults": lambda text: _defaults(text, limits),
        "frontend prometheus": lambda text: _bind(text, "127.0.0.1"),
        "frontend http_frontend": lambda text: _http(text, limits, connections),
        "frontend grpc_frontend": lambda text: _grpc(text, limits, connections),
        "listen stats": lambda text: _bind(text, "127.0.0.1"),
        # Nobody gets there once the application has backends of its own.
        "backend default_backend": lambda text: _edit(
            text, r" *http-request return status 404 .*\n", lambda _: STARTING.rules("TRUE")
        ),
        "backend default_grpc_backend": lambda text: _edit(
            text, r"grpc-status 5 hdr grpc-message \".*\"", GRPC_STARTING, times=2
        ),
    }
    sections = re.split(r"(?m)^(?=\w)", config)
    found = {_title(section) for section in sections}
    missing = [name for name in edits if name not in found and not _is_optional(name)]
    if missing:
        raise ValueError(f"Serve's HAProxy configuration has no section {', '.join(missing)}")
    return "".join(_edit_of(_title(section), edits)(section) for section in sections) + _TABLES


def _edit_of(title: str, edits: dict[str, Callable[[str], str]]) -> Callable[[str], str]:
    return _own_connections if title.startswith("backend grpc-") else edits.get(title, _same)


def _own_connections(section: str) -> str:
    # Of clients that share one to a router, the first that does not read stops the others: HTTP/2's window
    # of the connection is theirs together.
    return _edit(section, r"http-reuse always", "http-reuse never")


def _is_optional(name: str) -> bool:
    return "grpc" in name


def _same(section: str) -> str:
    return section


def _title(section: str) -> str:
    return section.partition("\n")[0].strip()


def _global(section: str, connections: ConnectionLimits) -> str:
    # Only processes of this user may command HAProxy, and Serve does it through the supervisor.
    section = _edit(section, r"(stats socket \S+) mode 666", rf"\1{OWN_SOCKET} mode 600")
    return _edit(section, r"maxconn \d+", f"maxconn {connections.total}")


def _defaults(section: str, limits: Settings) -> str:
    # With `abortonclose`, HAProxy 2.8 turns in a loop when a client leaves whose body it was to splice, and
    # never tells the server. Splicing of answers saves nothing on chunks as small as tokens.
    section = _edit(section, r" *option splice-re(quest|sponse)\n", "", times=2)
    # Serve makes 500 of what HAProxy answers where no replica does. Clients come again after 503.
    section = _edit(section, r" *errorfile 50[234] .*\n", "", times=3)
    # Between two bytes of a body, or of an answer that the client is to take; it does not run while the
    # client waits for the answer. The service says first, in words, that a body stopped.
    silence = limits.client_timeout_s + _GRACE_SECONDS
    section = _edit(section, r"timeout client \S+", f"timeout client {_ms(silence)}")
    idle = limits.idle_timeout_s + _GRACE_SECONDS
    section = _edit(section, r"timeout http-keep-alive \S+", f"timeout http-keep-alive {_ms(idle)}")
    return section + f"    timeout http-request {_ms(limits.head_timeout_s)}\n"


def _http(section: str, limits: Settings, connections: ConnectionLimits) -> str:
    most = connections.http
    keyed = "if keyed" if limits.api_key else ""
    rules = (
        _KEYED
        + _cors(limits.cors_origins)
        + f"    http-request track-sc1 {_CLIENT} table calls\n"
        + TOO_MANY_REQUESTS.rules(f"{{ sc1_conn_cur gt {connections.calls_per_client} }}")
        + TOO_LARGE.rules(f"{{ req.body_size gt {limits.max_body_bytes} }}", limits.max_body_bytes)
        # HAProxy takes a length of 2^64 for none.
        + TOO_LARGE.rules("{ req.hdr(content-length),length gt 15 }", limits.max_body_bytes)
        + _REQUEST_RULES
        + UPGRADE.rules("{ req.hdr(upgrade) -m sub -i websocket }")
        + _HEADER_RULES
        + f"    http-request wait-for-body time {_ms(limits.head_timeout_s)} {keyed}\n"
        # Where many are there, nobody keeps a connection that has nothing to do.
        + f"    http-after-response set-header connection close if {{ fe_conn gt {most.most // 2} }}\n"
    )
    # Else whoever begins with HTTP/2's preface has calls here that the limits of gRPC's port do not count.
    section = _edit(section, r"(\n *bind \S+)", r"\1 proto h1")
    return _frontend(section, limits, most, "http_connections", rules)


def _grpc(section: str, limits: Settings, connections: ConnectionLimits) -> str:
    # It asks for a log line for each call again, which a stranger could fill the disk with.
    section = _edit(section, r"\n +log global(?=\n)", "")
    keyed = "keyed " if limits.api_key else ""
    rules = (
        f"{_KEYED}    http-request track-sc1 {_CLIENT} table calls\n"
        f"    http-request return {TOO_MANY_CALLS} if {{ sc1_conn_cur gt {connections.calls_per_client} }}\n"
        # Reflection is a conversation: its body ends when the client has asked all it wants to.
        f"    http-request wait-for-body time {_ms(limits.head_timeout_s)} "
        f"if {keyed}!{{ path_beg /grpc.reflection. }}\n"
        # Whoever needs no key asks a short question, all of it, before a router sees it.
        f"    http-request wait-for-body time {_ms(limits.head_timeout_s)} if {_KEYLESS_CALL}\n"
        f"    http-request return {TOO_LONG_A_CALL.format(_QUESTION_BYTES)} "
        f"if {_KEYLESS_CALL} {{ req.body_len gt {_QUESTION_BYTES} }}\n"
    )
    return _frontend(section, limits, connections.grpc, "grpc_connections", rules)


def _cors(origins: tuple[str, ...]) -> str:
    """What `deployments/ingress/cors.py` says, for answers that are HAProxy's own: else a page would not
    learn that it is to come again later."""
    if not origins:
        return ""
    first = "    http-request set-var(txn.origin) req.hdr(origin)\n"
    if "*" in origins:
        told, condition = "*", ""
    else:
        told, condition = "%[var(txn.origin)]", f"{{ var(txn.origin) -m str {' '.join(origins)} }} "
    unless = "!{ res.hdr(access-control-allow-origin) -m found }"
    return (
        f"{first}    http-after-response add-header access-control-expose-headers retry-after "
        f"if {condition}{unless}\n"
        f"    http-after-response set-header access-control-allow-origin {told} if {condition}{unless}\n"
    )


def _frontend(section: str, limits: Settings, connections: FrontEnd, table: str, rules: str) -> str:
    first = f"    no log\n    maxconn {connections.most}\n"
    first += f"    tcp-request connection track-sc0 {_CLIENT} table {table}\n"
    for taken, share in _steps(connections):
        first += (
            f"    tcp-request connection reject if {{ fe_conn gt {taken} }} {{ sc0_conn_cur gt {share} }}\n"
        )
    return _edit(_bind(section, limits.host), r"(\n *bind .*\n)", lambda line: line[0] + first + rules)


def _steps(connections: FrontEnd) -> list[tuple[int, int]]:
    """The fuller a front end is, the less of it one address may have, an eighth with each quarter: whoever
    comes with few connections finds a place until hundreds of addresses have conspired. Pairs of how many are
    taken, and the share. Who may have everything is trusted with it."""
    most, share = connections.most, connections.per_client
    quarters = 1 if share >= most else 4
    return [(most * quarter // 4, max(_FEW, share // 8**quarter)) for quarter in range(quarters)]


# Without a key nothing of a body is waited for: the service refuses from the head alone.
_KEYED = "".join(f"    acl keyed req.hdr({name}) -m found\n" for name in (BEARER, *PLAIN_KEYS))

# Serve is told not to watch for disconnects: that costs two tasks a request, and our ingress watches where a
# request takes long. It reads these headers as UTF-8 and fails where they are none, before our ingress sees
# the request. Another protocol is never spoken: who only offers one (`h2c`) is answered as if it had not.
# What HAProxy answers itself where no replica does, says when to come again, as the service does.
_HEADER_RULES = (
    "".join(
        HEADER.rules(f"{{ req.fhdr({name}) -m reg [^\\ -~] }}", name)
        for name in ("x-request-id", "x-session-id")
    )
    + """\
    http-request del-header ^serve[_-]multiplexed[_-]model[_-]id$ -m reg
    http-request del-header upgrade
    http-request set-header x-request-disconnect-disabled ?1
    http-after-response set-header retry-after 1 if { status 503 } !{ res.fhdr(retry-after) -m found }
"""
)


# As uvicorn reads a path. What needs no key is answered before a body is there: the rest of it would count as
# a request under way. Methods that are none uvicorn would refuse in words of its own.
_KEYLESS = f"{{ path,url_dec -m reg ^({'|'.join(sorted(PATHS))}|{SERVES_OWN}.*)$ }}"
_METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
_REQUEST_RULES = (
    METHOD.rules(f"!{{ method {' '.join(_METHODS)} }}", ", ".join(_METHODS))
    + TARGET.rules("!{ path_beg / }")
    + "".join(
        BODY.rules(f"{question} {body}")
        for question in (_KEYLESS, "{ method OPTIONS }")
        for body in ("{ req.body_size gt 0 }", "{ req.hdr(transfer-encoding) -m found }")
    )
)
_KEYLESS_CALL = f"{{ path_beg {' '.join(SERVICES)} }}"
# Of gRPC's messages that need no key: the name of a service.
_QUESTION_BYTES = 1024


def _bind(section: str, host: str) -> str:
    address = f"[{host}]" if ":" in host else host
    return _edit(section, r"(\n *bind )\S*:(\d+)", rf"\g<1>{address}:\2")


def _ms(seconds: float) -> str:
    return f"{round(seconds * 1000)}ms"


def _edit(text: str, pattern: str, new: str | Callable[[re.Match[str]], str], times: int = 1) -> str:
    text, found = re.subn(pattern, new, text)
    if found != times:
        raise ValueError(f"{_title(text)!r} of Serve's HAProxy configuration has {found} of {pattern!r}")
    return text


def main(source: str, target: str) -> None:
    """Amend a file into another one, and print the megabytes of memory that HAProxy is to have."""
    config = settings()
    Path(target).write_text(amended(Path(source).read_text(), config, files_allowed()))
    print(config.haproxy_memory_bytes // 1024**2)  # noqa: T201 (`haproxy.sh` reads it)


if __name__ == "__main__":
    main(*sys.argv[1:])
