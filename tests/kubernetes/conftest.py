"""One platform for all tests here: API server, our roles, a Ray cluster, KubeRay's operator, a controller."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from scripts.kubernetes.platform import Platform, platform


@pytest.fixture(scope="package")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    """Its loop runs in a thread of its own, so that the tests' loop may block."""
    folder: Path = tmp_path_factory.mktemp("platform")
    ready: list[Platform | BaseException] = []
    started, stop = threading.Event(), threading.Event()

    async def serve() -> None:
        try:
            async with platform(folder) as found:
                ready.append(found)
                started.set()
                await asyncio.to_thread(stop.wait)
        except BaseException as error:
            ready.append(error)
            raise
        finally:
            started.set()

    thread = threading.Thread(target=lambda: asyncio.run(serve()), daemon=True)
    thread.start()
    assert started.wait(240)
    found = ready[0]
    if isinstance(found, BaseException):
        raise found
    yield found
    stop.set()
    thread.join(60)
