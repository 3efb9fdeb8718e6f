"""Settings that cannot work are refused with what to do, before anything is started."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from voyager_llm.domain.model import SecretRef
from voyager_llm.settings import (
    Settings,
    environment_secret,
    unknown_variables,
    variable_of,
    without_secrets,
)

KEY = SecretRef(name="clients", key="key")


@pytest.mark.parametrize("host", ["", "*", "0", "127.0.0.1,127.0.0.2", "127.0.0.1 ::1", "here", "1.2.3"])
@pytest.mark.parametrize("key", [None, KEY])
def test_what_is_no_address_is_called_so(host: str, key: SecretRef | None) -> None:
    with pytest.raises(ValidationError, match=r"VOYAGER_HOST=.* is no address: give one of"):
        Settings(host=host, api_key=key)


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.8.8", "::1", "::ffff:127.0.0.1", "localhost"])
def test_loopback_needs_no_key(host: str) -> None:
    assert Settings(host=host).host == host


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "10.0.0.1", "::ffff:10.0.0.1", "fe80::1"])
def test_any_other_address_needs_a_key(host: str) -> None:
    with pytest.raises(ValidationError, match="reachable by others: set VOYAGER_API_KEY"):
        Settings(host=host)
    with pytest.raises(ValidationError, match=r"VOYAGER_REPLICA_HOST=.* reachable by others"):
        Settings(replica_host=host)
    assert Settings(host=host, api_key=KEY).host == host


@pytest.mark.parametrize("name", ["data_dir", "log_file", "secrets_dir"])
def test_a_path_that_is_empty_is_refused(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """It would be whatever folder the service was started in."""
    monkeypatch.setenv(f"VOYAGER_{name.upper()}", "")
    with pytest.raises(ValidationError, match="is empty: give a path, or unset it") as caught:
        Settings()  # pyright: ignore[reportCallIssue]
    assert [fault["loc"] for fault in caught.value.errors()] == [(name,)]


def test_one_port_for_both_is_refused() -> None:
    with pytest.raises(ValidationError, match="are both 8000: change one"):
        Settings(http_port=8000, grpc_port=8000)


@pytest.mark.parametrize(
    "values",
    [{"max_connections": 99_999_999}, {"max_body_bytes": 99_999_999_999_999}, {"max_answer_bytes": 2**31},
     {"max_connections_per_client": -1}, {"connections_per_host": 10**9}, {"haproxy_memory_bytes": 1024}],
)  # fmt: skip
def test_numbers_that_no_machine_has_are_refused(values: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match=r"should be (less|greater) than or equal to"):
        Settings(**values)


def test_origins_are_separated_by_commas(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VOYAGER_CORS_ORIGINS", "https://a.example, http://localhost:3000,")
    assert Settings().cors_origins == ("https://a.example", "http://localhost:3000")
    monkeypatch.setenv("VOYAGER_CORS_ORIGINS", "*")
    assert Settings().cors_origins == ("*",)
    monkeypatch.delenv("VOYAGER_CORS_ORIGINS")
    assert Settings().cors_origins == ()


@pytest.mark.parametrize(
    "origins",
    ["a.example", "https://a.example/", "https://A.example", "null", "https://*.example", "*,https://a.example",
     "https://a.example:port", "https://a.example\"if", "https://"],
)  # fmt: skip
def test_what_no_browser_writes_as_an_origin_is_refused(origins: str) -> None:
    """None would ever match, or more would than its writer thinks."""
    with pytest.raises(ValidationError, match=r"is no origin|stands for every origin"):
        Settings(cors_origins=origins)  # pyright: ignore[reportArgumentType]


def test_a_body_that_would_never_be_read_is_refused() -> None:
    with pytest.raises(ValidationError, match="VOYAGER_MAX_BODY_BYTES is more than three quarters"):
        Settings(max_body_bytes=1_000_000, body_budget_bytes=1_000_000)


@pytest.mark.parametrize(
    ("name", "meant"),
    [("PORT", "HTTP_PORT"), ("HTTP_PROT", "HTTP_PORT"), ("TIMEOUT_S", "IDLE_TIMEOUT_S"),
     ("DATADIR", "DATA_DIR"), ("APIKEY", "API_KEY"), ("voyager_database", "DATABASE_URL")],
)  # fmt: skip
def test_a_misspelt_setting_is_told_with_what_was_meant(name: str, meant: str) -> None:
    variable = name if name.startswith("voyager_") else f"VOYAGER_{name}"
    assert unknown_variables({variable: "1"}) == {variable.upper(): f"VOYAGER_{meant}"}


def test_what_resembles_no_setting_is_told_alone() -> None:
    assert unknown_variables({"VOYAGER_ZZZ": "1", "VOYAGER_": "1"}) == {"VOYAGER_": "", "VOYAGER_ZZZ": ""}


@pytest.mark.parametrize(
    "name",
    ["VOYAGER_HTTP_PORT", "voyager_http_port", variable_of(KEY), "VOYAGER_CLIENT_KEY", "VOYAGER_RUN",
     "VOYAGER_CONTROLLER_NAMESPACE", "HTTP_PORT", "MY_VOYAGER_PORT"],
)  # fmt: skip
def test_what_somebody_reads_is_no_mistake(name: str) -> None:
    assert unknown_variables({name: "1"}) == {}


def test_variables_that_kubernetes_makes_of_services_are_no_mistakes() -> None:
    assert (
        unknown_variables({"VOYAGER_PORT": "tcp://10.0.0.1:80", "KUBERNETES_SERVICE_HOST": "10.0.0.1"}) == {}
    )


def test_secrets_leave_the_environment_and_are_found_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = {"PATH": "/bin", "VOYAGER_HTTP_PORT": "1", variable_of(KEY): "a secret"}
    assert without_secrets(given, tmp_path) == {"PATH": "/bin", "VOYAGER_HTTP_PORT": "1"}
    kept = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert [path.stat().st_mode & 0o777 for path in (*kept, kept[0].parent)] == [0o600, 0o700]
    assert environment_secret(KEY) is None
    monkeypatch.setenv("VOYAGER_SCRATCH", str(tmp_path))
    assert environment_secret(KEY) == "a secret"
    assert environment_secret(SecretRef(name="another", key="key")) is None
    monkeypatch.setenv(variable_of(KEY), "given in the environment")
    assert environment_secret(KEY) == "given in the environment"
