"""The clients' key is rotated without a refused request; guessing makes nobody read files all the time."""

from __future__ import annotations

from pathlib import Path

import pytest

from deployments.ingress.identity import OVERLAP_SECONDS, Authenticator
from deployments.secrets import MountedSecrets
from voyager_llm.domain.model import SecretRef
from voyager_llm.errors import Unauthenticated
from voyager_llm.settings import Settings


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def admits(authenticator: Authenticator, key: str) -> bool:
    try:
        authenticator.identify(f"Bearer {key}", "ada")
    except Unauthenticated:
        return False
    return True


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    path = tmp_path / "clients" / "key"
    path.parent.mkdir()
    path.write_text("one")
    return path


def test_both_keys_are_accepted_for_a_while(secret: Path) -> None:
    clock = Clock()
    settings = Settings(api_key=SecretRef(name="clients", key="key"))
    authenticator = Authenticator(settings, MountedSecrets(secret.parents[1]), clock)
    assert admits(authenticator, "one")
    assert not admits(authenticator, "two")
    secret.write_text("two")
    clock.now += 2
    assert admits(authenticator, "two")
    assert admits(authenticator, "one")
    clock.now += OVERLAP_SECONDS + 1
    assert not admits(authenticator, "one")
    assert admits(authenticator, "two")


def test_wrong_keys_do_not_read_the_secret_each_time(secret: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock()
    secrets = MountedSecrets(secret.parents[1])
    authenticator = Authenticator(Settings(api_key=SecretRef(name="clients", key="key")), secrets, clock)
    reads = 0
    read = Path.read_text

    def counted(path: Path, *arguments: object) -> str:
        nonlocal reads
        reads += 1
        return read(path)

    monkeypatch.setattr(Path, "read_text", counted)
    for _ in range(100):
        assert not admits(authenticator, "wrong")
        clock.now += 0.01
    assert reads <= 4
