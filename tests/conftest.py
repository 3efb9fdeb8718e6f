"""Fixtures that several groups of tests use."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from scripts.fake_provider.running import FakeProvider
from tests.support.service import LocalService, start

# A machine that is busy with something else is no fault of the code under test.
settings.register_profile("ours", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("ours")


_FIGURES = "figures"


@pytest.fixture
def figures(request: pytest.FixtureRequest) -> Callable[[str], None]:
    """Notes what a test measured; all of it is printed at the end of the run."""
    return lambda text: request.node.user_properties.append((_FIGURES, text))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    reports = [*terminalreporter.getreports("passed"), *terminalreporter.getreports("failed")]
    lines = [
        f"{report.nodeid.rpartition('::')[2]}: {text}"
        for report in reports
        if report.when == "call"
        for name, text in report.user_properties
        if name == _FIGURES
    ]
    if lines:
        terminalreporter.section("figures")
        for line in lines:
            terminalreporter.line(line)


@pytest.fixture(scope="session")
def provider() -> Iterator[FakeProvider]:
    """A provider that fails on demand, over real HTTP."""
    running = FakeProvider()
    yield running
    running.stop()


@pytest.fixture
async def local(tmp_path: Path) -> AsyncIterator[LocalService]:
    """The service in this process, with an empty store."""
    service = await start(tmp_path)
    yield service
    await service.close()
