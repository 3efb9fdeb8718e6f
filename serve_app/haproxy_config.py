"""Amends the HAProxy configuration that Ray Serve generated: addresses, limits, time-outs.

Serve has no hook for any of it (`docs/decisions/0005-haproxy.md`). `haproxy.sh` runs this before each start
and reload of HAProxy. An edit that finds nothing to edit is an error: Serve's template has changed, and what
was meant to hold would silently hold no longer.
"""

from __future__ import annotations

import re
import resource
import sys
from collections.abc import Callable
from pathlib import Path

from voyager_llm.settings import Settings, settings

# Descriptors that HAProxy needs beside two for each connection: listeners, health checks, its own pipes.
_SPARE_FILES = 256
_GRACE_SECONDS = 1.0
# HAProxy's own end of the administration socket; `supervisor.py` stands at the one that Serve knows.
OWN_SOCKET = ".own"

# An IPv6 network of one client is a /64: it would not run out of addresses in it.
_CLIENT = "src,ipmask(32,64)"
_TABLES = """\
backend connections_per_client
    stick-table type ipv6 size 100k expire 1m store conn_cur
backend calls_per_client
    stick-table type ipv6 size 100k expire 1m store conn_cur
"""


def amended(config: str, limits: Settings, files: int) -> str:
    """``config`` as Serve generated it, amended; ``files`` is the number of files HAProxy may open.

    Raises `ValueError` for a configuration that is not as Serve 2.60 generates it."""
    ready = re.search(r"^backend (http|grpc)-", config, re.MULTILINE) is not None
    edits: dict[str, Callable[[str], str]] = {
        "global": lambda text: _global(text, limits, files),
        "defaults": lambda text: _defaults(text, limits),
        "frontend prometheus": lambda text: _bind(text, "127.0.0.1"),
        "frontend http_frontend": lambda text: _frontend(text, limits, _HTTP_RULES, _TOO_MANY_HTTP),
        "frontend grpc_frontend": lambda text: _frontend(text, limits, _GRPC_RULES, _TOO_MANY_GRPC),
        "listen stats": lambda text: _bind(text, "127.0.0.1"),
    }
    if not ready:
        edits["backend default_backend"] = lambda text: text.replace("return status 404", "return status 503")
        edits["backend default_grpc_backend"] = lambda text: text.replace("grpc-status 5 ", "grpc-status 14 ")
    sections = re.split(r"(?m)^(?=\w)", config)
    found = {_title(section) for section in sections}
    missing = [name for name in edits if name not in found and not _is_optional(name)]
    if missing:
        raise ValueError(f"Serve's HAProxy configuration has no section {', '.join(missing)}")
    return "".join(edits.get(_title(section), _same)(section) for section in sections) + _TABLES


def _is_optional(name: str) -> bool:
    return "grpc" in name


def _same(section: str) -> str:
    return section


def _title(section: str) -> str:
    return section.partition("\n")[0].strip()


def _global(section: str, limits: Settings, files: int) -> str:
    connections = min(limits.max_connections, (files - _SPARE_FILES) // 2)
    # Only processes of this user may command HAProxy, and Serve does it through the supervisor.
    section = _edit(section, r"(stats socket \S+) mode 666", rf"\1{OWN_SOCKET} mode 600")
    return _edit(section, r"maxconn \d+", f"maxconn {connections}")


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
    return section + f"    timeout http-request {_ms(limits.head_timeout_s)}\n"


def _frontend(section: str, limits: Settings, rules: str, too_many: str) -> str:
    most = limits.max_connections_per_client
    first = (
        "    no log\n"
        f"    tcp-request connection track-sc0 {_CLIENT} table connections_per_client\n"
        f"    tcp-request connection reject if {{ sc0_conn_cur gt {most} }}\n"
        f"    http-request track-sc1 {_CLIENT} table calls_per_client\n"
        f"    http-request return {too_many} if {{ sc1_conn_cur gt {most} }}\n"
    ) + rules.format(head=_ms(limits.head_timeout_s))
    return _edit(_bind(section, limits.host), r"(\n *bind .*\n)", lambda line: line[0] + first)


_TOO_MANY_HTTP = (
    'status 429 content-type application/json hdr retry-after 1 string "'
    r"{\"error\":{\"message\":\"too many requests of this address at a time\","
    r'\"type\":\"rate_limit_error\",\"param\":null,\"code\":\"rate_limit_exceeded\"}}"'
)
_TOO_MANY_GRPC = (
    "status 200 hdr content-type application/grpc hdr grpc-status 8 "
    'hdr grpc-message "too many calls of this address at a time"'
)

# A body that fits a buffer is waited for here, where it holds no place of the service's. Serve is told not to
# watch for disconnects: that costs two tasks a request, and our ingress watches where a request takes long.
# Serve reads these headers as UTF-8 and fails where they are none, before our ingress sees the request. What
# HAProxy answers itself where no replica does, says when to come again, as the service does.
_HTTP_RULES = """\
    http-request deny deny_status 400 if {{ req.fhdr(x-request-id) -m reg [^\\ -~] }}
    http-request deny deny_status 400 if {{ req.fhdr(x-session-id) -m reg [^\\ -~] }}
    http-request del-header ^serve[_-]multiplexed[_-]model[_-]id$ -m reg
    http-request wait-for-body time {head}
    http-request set-header x-request-disconnect-disabled ?1
    http-after-response set-header retry-after 1 if {{ status 503 }} !{{ res.fhdr(retry-after) -m found }}
"""
# Reflection is a conversation: its body ends when the client has asked all it wants to.
_GRPC_RULES = """\
    http-request wait-for-body time {head} unless {{ path_beg /grpc.reflection. }}
"""


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
    """Amend a file into another one."""
    files = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    Path(target).write_text(amended(Path(source).read_text(), settings(), files))


if __name__ == "__main__":
    main(*sys.argv[1:])
