"""What is checked before anything is started, so that it fails at once, in a line. Used by `launch.py`."""

from __future__ import annotations

import asyncio
import errno
import socket
from contextlib import suppress

import psutil

from deployments.secrets.places import secrets_of
from serve_app.connection_limits import ConnectionLimits, files_allowed
from serve_app.refusals import Refused
from voyager_llm.definitions.catalog import Catalog
from voyager_llm.definitions.store.database import file_of, parsed
from voyager_llm.definitions.store.sql import SqlStore
from voyager_llm.errors import VoyagerError
from voyager_llm.settings import Settings, variable_of
from voyager_llm.snapshot import Delta


def refuse_taken_ports(config: Settings) -> None:
    """Raises `Refused` when HTTP or gRPC could not be listened on."""
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


def refuse_missing_key(config: Settings) -> None:
    """Raises `Refused` when there is to be an API key and it cannot be read: nobody could call."""
    if config.api_key is None:
        return
    try:
        asyncio.run(secrets_of(config).get(config.api_key))
    except VoyagerError as error:
        place = config.secrets_dir / config.api_key.name / config.api_key.key
        raise Refused(
            f"VOYAGER_API_KEY: {error.message} ({place}, or {variable_of(config.api_key)})"
        ) from None


def fewer_connections(config: Settings) -> str:
    """Why the service takes fewer connections than it was told to; empty where it does not."""
    files = files_allowed()
    total = ConnectionLimits.of(config, files).total
    if total == config.max_connections:
        return ""
    return (
        f"takes {total} connections at a time, not VOYAGER_MAX_CONNECTIONS={config.max_connections}: "
        f"a process may open {files} files here (ulimit -Hn)"
    )


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
