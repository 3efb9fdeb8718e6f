"""The clients' key is rotated without a refused request; guessing makes nobody read files all the time."""

from __future__ import annotations

from pathlib import Path

import pytest

from deployments.ingress.context import Headers
from deployments.ingress.identity import OVERLAP_SECONDS, Authenticator
from deployments.secrets.places import MountedFiles
from deployments.secrets.source import Secrets
from voyager_llm.domain.model import SecretRef
from voyager_llm.errors import Unauthenticated, Unavailable, VoyagerError
from voyager_llm.settings import Settings


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def headers(**found: str) -> Headers:
    """Of a request; ``_`` stands for ``-``."""
    return lambda name: found.get(name.replace("-", "_"), "")


async def admits(authenticator: Authenticator, key: str) -> bool:
    try:
        await authenticator.identify(headers(authorization=f"Bearer {key}"))
    except Unauthenticated:
        return False
    return True


def rotate(secret: Path, key: str) -> None:
    secret.write_text(key)


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    path = tmp_path / "clients" / "key"
    path.parent.mkdir()
    path.write_text("one")
    return path


async def test_both_keys_are_accepted_for_a_while(secret: Path) -> None:
    clock = Clock()
    settings = Settings(api_key=SecretRef(name="clients", key="key"))
    authenticator = Authenticator(settings, Secrets(MountedFiles(secret.parents[1])), clock)
    assert await admits(authenticator, "one")
    assert not await admits(authenticator, "two")
    rotate(secret, "two")
    clock.now += 2
    assert await admits(authenticator, "two")
    assert await admits(authenticator, "one")
    clock.now += OVERLAP_SECONDS + 1
    assert not await admits(authenticator, "one")
    assert await admits(authenticator, "two")


async def test_wrong_keys_do_not_read_the_secret_each_time(
    secret: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock()
    secrets = Secrets(MountedFiles(secret.parents[1]))
    authenticator = Authenticator(Settings(api_key=SecretRef(name="clients", key="key")), secrets, clock)
    reads = 0
    read = Path.read_text

    def counted(path: Path, *arguments: object) -> str:
        nonlocal reads
        reads += 1
        return read(path)

    monkeypatch.setattr(Path, "read_text", counted)
    for _ in range(100):
        assert not await admits(authenticator, "wrong")
        clock.now += 0.01
    assert reads <= 4


@pytest.mark.parametrize("header", ["Bearer one", "bearer one", "BEARER  one ", " bEaReR one"])
async def test_a_scheme_has_no_case(secret: Path, header: str) -> None:
    settings = Settings(api_key=SecretRef(name="clients", key="key"))
    authenticator = Authenticator(settings, Secrets(MountedFiles(secret.parents[1])))
    assert (
        await authenticator.identify(headers(authorization=header, x_voyager_user="ada"))
    ).subject == "ada"
    assert (await authenticator.identify_call([("authorization", header)])).subject == "anonymous"


@pytest.mark.parametrize(
    "header",
    ["", "one", "Bearer", "Bearer ", "Bearer two", "Basic one", "Bearerone", "Bearer:one", "Bearer one two"],
)
async def test_a_key_without_its_scheme_is_no_key(secret: Path, header: str) -> None:
    settings = Settings(api_key=SecretRef(name="clients", key="key"))
    authenticator = Authenticator(settings, Secrets(MountedFiles(secret.parents[1])))
    with pytest.raises(Unauthenticated):
        await authenticator.identify(headers(authorization=header))
    with pytest.raises(Unauthenticated):
        await authenticator.identify_call([("authorization", header), ("authorization", b"\xff")])


@pytest.mark.parametrize(
    "given",
    [
        {"api_key": "one"},
        {"x_api_key": " one "},
        {"authorization": "Bearer dummy", "api_key": "one"},
        {"authorization": "Basic dummy", "x_api_key": "one"},
        {"api_key": "dummy", "x_api_key": "one"},
        {"authorization": "Bearer one", "api_key": "dummy", "x_api_key": "dummy"},
    ],
)
async def test_a_key_may_stand_where_azures_and_anthropics_clients_put_it(
    secret: Path, given: dict[str, str]
) -> None:
    """A client that fills one header in by itself is let in by the other."""
    settings = Settings(api_key=SecretRef(name="clients", key="key"))
    authenticator = Authenticator(settings, Secrets(MountedFiles(secret.parents[1])))
    await authenticator.identify(headers(**given))
    await authenticator.identify_call([(name.replace("_", "-"), key) for name, key in given.items()])


@pytest.mark.parametrize(
    "given",
    [{}, {"api_key": ""}, {"api_key": "two"}, {"x_api_key": "Bearer one"}, {"x_voyager_user": "one"}],
)
async def test_no_key_and_another_one_are_refused(secret: Path, given: dict[str, str]) -> None:
    settings = Settings(api_key=SecretRef(name="clients", key="key"))
    authenticator = Authenticator(settings, Secrets(MountedFiles(secret.parents[1])))
    with pytest.raises(Unauthenticated):
        await authenticator.identify(headers(**given))


async def test_a_key_that_cannot_be_read_admits_nobody_and_is_not_named(secret: Path) -> None:
    settings = Settings(api_key=SecretRef(name="clients", key="key"))
    authenticator = Authenticator(settings, Secrets(MountedFiles(secret.parents[1])))
    for given in ("", "one"):
        rotate(secret, "")
        with pytest.raises(Unavailable) as refusal:
            await authenticator.identify(headers(authorization=f"Bearer {given}"))
        assert "clients" not in str(refusal.value)
    with pytest.raises(VoyagerError, match="secret clients, key key: not found"):
        await authenticator.check()
    rotate(secret, "one")
    await authenticator.check()
    assert await admits(authenticator, "one")
