"""What is checked before anything is started, so that it fails at once, in a line. Used by `launch.py`."""

from __future__ import annotations

import asyncio
import errno
import socket
from contextlib import suppress

import psutil

from serve_app.refusals import Refused
from voyager_llm.catalog import Catalog
from voyager_llm.errors import VoyagerError
from voyager_llm.settings import Settings
from voyager_llm.snapshot import Delta
from voyager_llm.store.database import file_of, parsed
from voyager_llm.store.sql import SqlStore


def refuse_taken_ports(config: Settings) -> None:
    """Raises `Refused` when HTTP or gRPC could not be listened on."""
    if config.http_port == config.grpc_port:
        raise Refused(f"VOYAGER_HTTP_PORT and VOYAGER_GRPC_PORT are both {config.http_port}: change one")
    _refuse_taken(config.host, config.http_port, "VOYAGER_HTTP_PORT")
    _refuse_taken(config.host, config.grpc_port, "VOYAGER_GRPC_PORT")


def _refuse_taken(host: str, port: int, setting: str) -> None:
    try:
        family, kind, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    except OSError:
        raise Refused(f"VOYAGER_HOST={host} is no address: give one of this machine's") from None
    with socket.socket(family, kind) as probe:
        # As HAProxy does: connections that are long closed do not count.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(address)
        except OSError as error:
            raise Refused(_why_not(error, host, port, setting)) from None


def _why_not(error: OSError, host: str, port: int, setting: str) -> str:
    if error.errno == errno.EADDRNOTAVAIL:
        return f"VOYAGER_HOST={host} is no address of this machine"
    if error.errno == errno.EACCES:
        return f"port {port} needs more rights than this process has: set {setting} to one above 1023"
    return f"port {port} is taken{_by_whom(port)}: stop what listens there, or set {setting} to another port"


def _by_whom(port: int) -> str:
    """Where this process may know it."""
    with suppress(psutil.Error, OSError):
        for found in psutil.net_connections("tcp"):
            if found.status == psutil.CONN_LISTEN and found.laddr and found.laddr.port == port and found.pid:
                return f" by {psutil.Process(found.pid).name()} (process {found.pid})"
    return ""


def open_store(config: Settings) -> list[str]:
    """Open the store as the config hub will, which brings its schema up to date.

    Returns what is stored and cannot be used. Raises `Refused` when the store itself cannot be."""
    address = parsed(config.store_url())
    place = file_of(address) or f"{address.host or 'local'}:{address.port or 5432}/{address.database}"
    try:
        return asyncio.run(_unreadable(SqlStore(config.store_url())))
    except VoyagerError as error:
        raise Refused(f"{error.message} ({place})") from None


async def _unreadable(store: SqlStore) -> list[str]:
    catalog = Catalog(store, _tell_nobody)
    try:
        await catalog.open()
        return [*catalog.unreadable.values()]
    finally:
        await catalog.close()


async def _tell_nobody(delta: Delta) -> None:
    """There are no routers yet."""
