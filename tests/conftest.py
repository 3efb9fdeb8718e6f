"""Fixtures that several groups of tests use."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

# Read when LiteLLM is imported; else it asks the network for prices three times.
os.environ.setdefault("LITELLM_LOCAL_MODEL_COST_MAP", "True")

from tests.fake_provider.running import FakeProvider


@pytest.fixture(scope="session")
def provider() -> Iterator[FakeProvider]:
    """A provider that fails on demand, over real HTTP."""
    running = FakeProvider()
    yield running
    running.stop()
