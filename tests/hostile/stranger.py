"""Another machine on this one's network: a network namespace behind a pair of virtual interfaces.

`Stranger` makes it; executed as a program inside it, this file says which addresses it could connect to.
Used by `test_listening.py`.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
# Kept for benchmarks between networks (RFC 2544) and for local use: nothing else has them.
HOST, SELF = "198.18.77.1", "198.18.77.2"
HOST6, SELF6 = "fd77::1", "fd77::2"
_SECONDS = 1.0
_AT_ONCE = 256

Address = tuple[str, int]


class Stranger:
    """Raises `PermissionError` where this process may make no network namespace."""

    def __init__(self) -> None:
        self._interface = f"voyager{os.getpid() % 100_000}"
        # Its first line says that it is in its namespace.
        command = ["unshare", "--net", "sh", "-c", "echo && exec sleep 3600"]
        self._holder = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        assert self._holder.stdout is not None
        if not self._holder.stdout.readline():
            raise PermissionError("this user may make no network namespace (unshare --net)")
        peer = f"{self._interface}p"
        self._ip(f"link add {self._interface} type veth peer name {peer} netns {self._holder.pid}")
        self._ip(f"addr add {HOST}/30 dev {self._interface}")
        self._ip(f"-6 addr add {HOST6}/64 dev {self._interface} nodad")
        self._ip(f"link set {self._interface} up")
        for line in (
            f"addr add {SELF}/30 dev {peer}",
            f"-6 addr add {SELF6}/64 dev {peer} nodad",
            f"link set {peer} up",
            # To every other address of the host, also those that no packet should come to from outside.
            f"route add default via {HOST}",
            f"-6 route add default via {HOST6}",
        ):
            self._ip(line, inside=True)

    def reaches(self, addresses: list[Address]) -> set[Address]:
        """Those of ``addresses`` to which a connection could be made."""
        command = [*self.inside(), sys.executable, "-m", "tests.hostile.stranger"]
        answer = subprocess.run(
            command, input=json.dumps(addresses), cwd=ROOT, text=True, check=True, stdout=subprocess.PIPE
        )
        return {(host, port) for host, port in json.loads(answer.stdout)}

    def inside(self) -> list[str]:
        """What to put before a command so that it runs there."""
        return ["nsenter", "--target", str(self._holder.pid), "--net"]

    def leave(self) -> None:
        """The interfaces end with the namespace."""
        self._holder.kill()
        self._holder.communicate()

    def _ip(self, arguments: str, *, inside: bool = False) -> None:
        command = [*(self.inside() if inside else []), "ip", *arguments.split()]
        subprocess.run(command, check=True, capture_output=True)


async def connected(addresses: list[Address]) -> list[Address]:
    """Those of ``addresses`` that accept a TCP connection."""
    found: list[Address] = []

    async def attempt(host: str, port: int) -> None:
        try:
            _, writer = await asyncio.wait_for(asyncio.open_connection(host, port), _SECONDS)
        except OSError:
            return
        writer.close()
        found.append((host, port))

    for first in range(0, len(addresses), _AT_ONCE):
        await asyncio.gather(*(attempt(*address) for address in addresses[first : first + _AT_ONCE]))
    return found


if __name__ == "__main__":
    print(json.dumps(asyncio.run(connected(json.load(sys.stdin)))))  # noqa: T201
