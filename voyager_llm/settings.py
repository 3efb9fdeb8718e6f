"""Typed process settings: the only reader of the environment.

Every setting is an environment variable ``VOYAGER_<NAME>``; the command line sets the same ones.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from difflib import get_close_matches
from functools import cache
from ipaddress import IPv6Address, ip_address
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from voyager_llm.domain.model import SecretRef
from voyager_llm.domain.stored_responses import Bounds

_PREFIX = "VOYAGER_"
_CONTROLLER_PREFIX = "VOYAGER_CONTROLLER_"
_SECRET_PREFIX = "VOYAGER_SECRET_"  # noqa: S105
# The folder of a run, in the environment of its processes.
_SCRATCH = "VOYAGER_SCRATCH"
# Variables of such names that are no settings: of the command line, of one run's processes, of `make`, of
# the tests.
_OTHERS = frozenset(
    f"{_PREFIX}{name}"
    for name in (
        *("URL", "CLIENT_KEY", "EMBEDDED_LLM", "EMBEDDED_LLM_KEY", "VERBOSE"),
        *("RUN", "SCRATCH", "HAPROXY", "PYTHON"),
        *("CACHE", "BENCH", "TEST_DATA"),
    )
)
# Of 1: how much of a name has to be there for another one to be what was meant.
_SIMILAR = 0.5


def _identity() -> str:
    """Unique among controllers: the pod's name in a cluster, and the process."""
    return f"{os.environ.get('HOSTNAME', 'controller')}-{os.getpid()}"


# As browsers write one: small letters, no path, a port only where it is not the scheme's own.
_ORIGIN = re.compile(r"[a-z][a-z0-9+.-]*://(?:[a-z0-9_.-]+|\[[0-9a-f:.]+\])(?::[0-9]{1,5})?")

# A message of gRPC, with what stands around it, has to stay under 2 GiB.
_LARGEST_BYTES = 1024 * 1024 * 1024


def _is_loopback(host: str) -> bool:
    """Whether only this machine reaches ``host``. Raises `ValueError` where it is no address."""
    if host == "localhost":
        return True
    address = ip_address(host)
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return (mapped or address).is_loopback


def _named(given: object) -> object:
    """Raises `ValueError` for an empty path: it would be whatever folder the process stands in."""
    if given == "":
        raise ValueError("is empty: give a path, or unset it")
    return given


_Path = Annotated[Path, BeforeValidator(_named)]


class Settings(BaseSettings):
    """Settings of one process."""

    model_config = SettingsConfigDict(env_prefix=_PREFIX, frozen=True, extra="ignore")

    host: str = Field("127.0.0.1", description="Address that HTTP and gRPC listen on.")
    http_port: int = Field(8000, ge=1, le=65535)
    grpc_port: int = Field(9000, ge=1, le=65535)
    replica_host: str = Field(
        "127.0.0.1",
        description="Address that replicas listen on, for HAProxy and each other.",
    )
    topology: Literal["split", "fused"] = Field(
        "split", description="split: each stage scales alone; fused: all in the router's process."
    )
    router_replicas: int = Field(1, ge=1, le=256)
    caller_replicas: int = Field(1, ge=1, le=256, description="At least; they scale up from here.")
    max_caller_replicas: int = Field(4, ge=1, le=1024)
    caller_target_ongoing: int = Field(
        256, ge=1, description="Concurrent calls of one caller replica before another one is started."
    )
    caller_upscale_delay_s: float = Field(10.0, ge=0)
    caller_downscale_delay_s: float = Field(300.0, ge=0)
    renderer_replicas: int = Field(1, ge=1, le=256)
    max_ongoing_requests: int = Field(2048, ge=1, le=1_000_000, description="Of one router replica.")

    data_dir: _Path = Field(
        Path.home() / ".local" / "share" / "voyager-llm", description="Where SQLite keeps its file."
    )
    log_file: _Path | None = Field(
        None, description="File that every process appends its log to, JSON a line; none: standard error."
    )
    database_url: str = Field("", description="SQLAlchemy URL; empty: SQLite in data_dir.")
    namespace: str = Field(
        "", description="Kubernetes namespace whose custom resources hold the definitions; empty: none does."
    )
    kubeconfig: str = Field("", description="Of that cluster; empty: the one this runs in.")
    secrets_dir: _Path = Field(
        Path("/etc/voyager-llm/secrets"), description="Mounted secrets, one folder each."
    )

    api_key: SecretRef | None = Field(None, description="Key that clients present; none: open.")
    allow_link_local: bool = Field(False, description="Let endpoints resolve to link-local addresses.")

    request_timeout_s: float = Field(120.0, gt=0, le=3600)
    stream_timeout_s: float = Field(600.0, gt=0, le=86_400, description="Of a whole stream.")
    connect_timeout_s: float = Field(5.0, gt=0, le=60)
    max_attempts: int = Field(3, ge=1, le=16)
    retry_budget_share: float = Field(0.2, ge=0, le=1, description="Repeats at an endpoint, per call of it.")
    max_body_bytes: int = Field(
        50 * 1024 * 1024,
        ge=1024,
        le=_LARGEST_BYTES,
        description="Of a request for a completion over HTTP, which may hold files; of others 8 MiB at most.",
    )
    body_budget_bytes: int = Field(
        256 * 1024 * 1024,
        ge=1024,
        le=_LARGEST_BYTES * 1024,
        description="Of all bodies together that one router replica reads or holds; those over 1 MiB have "
        "three quarters of it.",
    )
    cors_origins: Annotated[tuple[str, ...], NoDecode] = Field(
        (), description="Origins whose pages may call, separated by commas; *: all; none: no page may."
    )
    keep_alive_s: float = Field(
        15.0, ge=0, le=3600, description="Silence in a stream after which a comment is sent; 0: none ever is."
    )
    max_answer_bytes: int = Field(32 * 1024 * 1024, ge=1024, le=_LARGEST_BYTES)
    max_connections: int = Field(
        16_384,
        ge=64,
        le=1_000_000,
        description="Of all clients; fewer where too few files may be open (two each).",
    )
    max_grpc_connections: int = Field(
        512, ge=16, le=100_000, description="Of these; each carries up to 100 calls at a time."
    )
    max_connections_per_client: int = Field(
        0,
        ge=0,
        le=1_000_000,
        description="Connections, and calls at a time, of one address (IPv6: of one /64); "
        "0: an eighth of all. Of gRPC's connections it may have the same share.",
    )
    haproxy_memory_bytes: int = Field(
        1024 * 1024 * 1024, ge=256 * 1024 * 1024, le=_LARGEST_BYTES * 1024, description="At most."
    )
    head_timeout_s: float = Field(
        10.0, gt=0, le=3600, description="For a request's head, then for its body or the first 16 KiB of it."
    )
    body_timeout_s: float = Field(60.0, gt=0, le=3600, description="For a request's body.")
    client_timeout_s: float = Field(
        30.0, gt=0, le=3600, description="Silence of a client that is to send or to take something."
    )
    idle_timeout_s: float = Field(
        15.0, gt=0, le=3600, description="For the next request of a connection whose last one is answered."
    )
    connections_per_host: int = Field(
        2048, ge=1, le=100_000, description="To one provider; streams hold one each."
    )
    embedding_batch_wait_s: float = Field(
        0.0, ge=0, le=1, description="How long one text waits for others to be embedded with it; 0: never."
    )
    response_lifetime_s: float = Field(
        86_400.0, gt=0, le=31_536_000, description="How long responses are kept for the Responses API."
    )
    max_responses: int = Field(
        100_000, ge=0, le=10_000_000, description="Kept at most; a principal may have a quarter of them."
    )
    max_responses_bytes: int = Field(
        256 * 1024 * 1024, ge=0, le=_LARGEST_BYTES * 64, description="That they take in the config hub."
    )
    drain_timeout_s: float = Field(
        30.0, ge=0, le=120, description="How long what runs may take to finish when the service is stopped."
    )
    probe_interval_s: float = Field(30.0, gt=0)
    fast_drain: bool = Field(False, description="Skip draining when stopping; for tests.")

    @model_validator(mode="after")
    def _open_only_on_loopback(self) -> Settings:
        for name, host in (("HOST", self.host), ("REPLICA_HOST", self.replica_host)):
            try:
                is_open = not _is_loopback(host)
            except ValueError:
                raise ValueError(
                    f"VOYAGER_{name}={host} is no address: give one of this machine's, "
                    "or 0.0.0.0 (with IPv6: ::) for all of them"
                ) from None
            if is_open and self.api_key is None:
                raise ValueError(
                    f"VOYAGER_{name}={host} is reachable by others: set VOYAGER_API_KEY to a reference "
                    '({"name": …, "key": …}) to the key that clients must present'
                )
        return self

    @field_validator("cors_origins", mode="before")
    @classmethod
    def _split_origins(cls, given: object) -> object:
        return tuple(filter(None, re.split(r"[\s,]+", given))) if isinstance(given, str) else given

    @field_validator("cors_origins")
    @classmethod
    def _are_origins(cls, given: tuple[str, ...]) -> tuple[str, ...]:
        for origin in given:
            if origin != "*" and _ORIGIN.fullmatch(origin) is None:
                raise ValueError(f"{origin!r} is no origin: write https://HOST, as browsers do, or *")
        if "*" in given and len(given) > 1:
            raise ValueError("* stands for every origin: write it alone, or leave it out")
        return given

    @model_validator(mode="after")
    def _largest_body_fits(self) -> Settings:
        if self.max_body_bytes > self.body_budget_bytes * 3 // 4:
            raise ValueError(
                "VOYAGER_MAX_BODY_BYTES is more than three quarters of VOYAGER_BODY_BUDGET_BYTES: "
                "such a body would never be read"
            )
        return self

    @model_validator(mode="after")
    def _two_ports(self) -> Settings:
        if self.http_port == self.grpc_port:
            raise ValueError(f"VOYAGER_HTTP_PORT and VOYAGER_GRPC_PORT are both {self.http_port}: change one")
        return self

    def store_url(self) -> str:
        """SQLAlchemy URL of the store."""
        return self.database_url or f"sqlite+aiosqlite:///{self.data_dir / 'voyager.db'}"

    def response_bounds(self) -> Bounds:
        """Of what is kept for the Responses API: a conversation comes back as part of a request, and is as
        large as one at most."""
        return Bounds(
            entries=self.max_responses,
            bytes=self.max_responses_bytes,
            lifetime_s=self.response_lifetime_s,
            largest=self.max_body_bytes,
        )


class ControllerSettings(BaseSettings):
    """Settings of the controller: ``VOYAGER_CONTROLLER_<NAME>``."""

    model_config = SettingsConfigDict(env_prefix=_CONTROLLER_PREFIX, frozen=True, extra="ignore")

    namespace: str = Field("llm", description="Where the custom resources stand.")
    # kopf reads the same variable.
    kubeconfig: str = Field("", validation_alias="KUBECONFIG", description="Empty: the cluster this runs in.")
    rayservice: str = Field("voyager", description="The RayService whose serveConfigV2 is written.")
    serve_url: str = Field("", description="Serve's REST API, where there is no KubeRay; then no RayService.")
    serve_token_file: str = Field("", description="File with Ray's token, which that API wants.")
    dataplane_url: str = Field("http://voyager-serve-svc:8000", description="The service itself.")
    client_key_file: str = Field("", description="File with the API key that the service wants.")
    serve_config: str = Field("", description="Serve's configuration without definitions; empty: ours.")
    lease: str = Field("voyager-llm-controller", description="Of several controllers, who holds it acts.")
    identity: str = Field(default_factory=_identity, description="This controller among them.")
    health_port: int = Field(8080, ge=0, le=65535, description="Answers /healthz; 0: nothing does.")


@cache
def settings() -> Settings:
    """The settings of this process, read once."""
    return Settings()  # pyright: ignore[reportCallIssue]


def unknown_variables(environment: Mapping[str, str]) -> dict[str, str]:
    """Variables that look like settings and that nobody reads, each with the setting that was probably meant;
    empty where none is similar."""
    if "KUBERNETES_SERVICE_HOST" in environment:
        return {}  # a pod, which has variables of every service's name
    ours = {name.upper() for name in environment if name.upper().startswith(_PREFIX)}
    settings_of_up = {f"{_PREFIX}{name.upper()}" for name in Settings.model_fields}
    settings_of_controller = {
        f"{_CONTROLLER_PREFIX}{name.upper()}" for name in ControllerSettings.model_fields
    }
    unknown = ours - settings_of_up - settings_of_controller - _OTHERS
    meant = [name.removeprefix(_PREFIX) for name in settings_of_up]
    found = {
        name: get_close_matches(name.removeprefix(_PREFIX), meant, 1, _SIMILAR)
        for name in sorted(unknown)
        if not name.startswith(_SECRET_PREFIX)
    }
    return {name: _PREFIX + similar[0] if similar else "" for name, similar in found.items()}


def environment_secret(reference: SecretRef) -> str | None:
    """A secret given as ``VOYAGER_SECRET_<NAME>__<KEY>``, letters in capitals, the rest as ``_``."""
    variable = variable_of(reference)
    if (given := os.environ.get(variable)) is not None:
        return given
    scratch = scratch_folder()
    try:
        return _kept(scratch, variable).read_text() if scratch else None
    except (OSError, UnicodeDecodeError):
        return None


def scratch_folder() -> Path | None:
    """The folder of the run that this process belongs to; None: of none, as in a cluster."""
    given = os.environ.get(_SCRATCH)
    return Path(given) if given else None


def keep_secret(scratch: Path, variable: str, value: str) -> None:
    """Put a secret where the processes of a run find it, and this user alone; ``scratch`` is its folder.

    In the environment, all of Ray's own processes would have it, and whatever they start."""
    path = _kept(scratch, variable)
    path.parent.mkdir(mode=0o700, exist_ok=True)
    path.touch(mode=0o600)
    path.write_text(value)


def without_secrets(environment: Mapping[str, str], scratch: Path) -> dict[str, str]:
    """The environment for a run's processes; its secrets are kept in the run's folder."""
    left = dict(environment)
    for name in environment:
        if name.startswith(_SECRET_PREFIX):
            keep_secret(scratch, name, left.pop(name))
    return left


def _kept(scratch: Path, variable: str) -> Path:
    return scratch / "secrets" / variable


def variable_of(reference: SecretRef) -> str:
    """The environment variable that a secret may stand in."""
    name = "".join(c if c.isalnum() else "_" for c in f"{reference.name}__{reference.key}").upper()
    return _SECRET_PREFIX + name
