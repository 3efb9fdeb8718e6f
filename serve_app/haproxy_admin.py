"""A conversation with HAProxy over its admin socket. Used by `drain.py`.

It is opened before HAProxy is told to stop: then it goes on, while the socket takes nobody new. That HAProxy
ends by itself cannot be waited for: it keeps idle connections for their clients' next request.
"""

from __future__ import annotations

import csv
import socket
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

# HAProxy's own end: its supervisor stands between it and the socket that Serve knows.
_SOCKET = "*/*.own"
_ANSWER_SECONDS = 5.0
_PROMPT = "\n> "
# Only the rows of backends: all proxies, type 2, all servers.
_BACKENDS = "show stat -1 2 -1"


class HAProxyAdmin:
    """The HAProxy that serves now. Raises `OSError` when it does not answer."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._ask("prompt")
        facts = dict(line.split(": ", 1) for line in self._ask("show info").splitlines() if ": " in line)
        self.pid = int(facts["Pid"])

    def requests_under_way(self) -> int:
        """Requests that it has given to replicas and not answered to the end; 0 once it is gone."""
        try:
            rows = csv.DictReader(self._ask(_BACKENDS).lstrip("# \n").splitlines())
            return sum(int(row["scur"]) for row in rows)
        except OSError:
            return 0

    def _ask(self, command: str) -> str:
        self._connection.sendall(f"{command}\n".encode())
        answer = ""
        while not answer.endswith(_PROMPT):
            received = self._connection.recv(65536)
            if not received:
                raise ConnectionResetError("HAProxy has ended")
            answer += received.decode()
        return answer.removesuffix(_PROMPT)


@contextmanager
def connected(scratch: Path) -> Generator[HAProxyAdmin | None]:
    """A conversation with the HAProxy of a run; None where none answers."""
    path = next((path for path in scratch.glob(_SOCKET) if path.is_socket()), None)
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(_ANSWER_SECONDS)
        try:
            connection.connect(str(path))
            admin = HAProxyAdmin(connection)
        except OSError:
            admin = None
        yield admin
