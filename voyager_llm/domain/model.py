"""A model: which provider's, with which defaults, prices, limits, endpoints and credentials.

Fields are the specification's ModelDefinition. Used by the store, the compiler and the codecs.
"""

from __future__ import annotations

import ipaddress
from decimal import Decimal
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit

from pydantic import Field, field_validator, model_validator

from voyager_llm.domain.definition import Capability, Frozen, Money, Name

# Hosts that hand out a machine's credentials; refused like every link-local address.
METADATA_HOSTS = frozenset({"metadata.google.internal", "metadata", "instance-data"})


class ModelParameters(Frozen):
    """Defaults for a call. A request's own value wins; ``extra`` passes through unchanged."""

    max_tokens: Annotated[int, Field(ge=1, le=10_000_000)] | None = None
    temperature: Annotated[float, Field(ge=0, le=2)] | None = None
    top_p: Annotated[float, Field(ge=0, le=1)] | None = None
    frequency_penalty: Annotated[float, Field(ge=-2, le=2)] | None = None
    presence_penalty: Annotated[float, Field(ge=-2, le=2)] | None = None
    seed: int | None = None
    stop: tuple[Annotated[str, Field(max_length=256)], ...] = Field(default=(), max_length=16)
    extra: dict[str, Any] = Field(default_factory=dict[str, Any], max_length=64)


class Cost(Frozen):
    """Prices per token, in ``currency``."""

    input_token_cost: Money = Decimal(0)
    output_token_cost: Money = Decimal(0)
    currency: Annotated[str, Field(pattern=r"^[A-Z]{3}$", max_length=3)] = "USD"
    cached_input_token_cost: Money | None = None


class RateLimits(Frozen):
    """Limits kept before calling, over all replicas. 0: none."""

    requests_per_minute: Annotated[int, Field(ge=0, le=100_000_000)] = 0
    tokens_per_minute: Annotated[int, Field(ge=0, le=2_000_000_000)] = 0


class Endpoints(Frozen):
    """Base URL or full URL of the provider's API; ``backup`` is used when ``primary`` fails."""

    primary: str = Field(default="", max_length=2048)
    backup: str = Field(default="", max_length=2048)

    @field_validator("primary", "backup")
    @classmethod
    def _is_http_url(cls, value: str) -> str:
        if value:
            check_endpoint(value)
        return value

    @model_validator(mode="after")
    def _backup_differs(self) -> Endpoints:
        if self.backup and self.backup == self.primary:
            raise ValueError("backup must differ from primary")
        if self.backup and not self.primary:
            raise ValueError("backup needs a primary")
        return self


class SecretRef(Frozen):
    """Where a secret stands: a name and a key in it. Never the secret."""

    name: Annotated[str, Field(pattern=r"^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$", max_length=253)]
    key: Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]{1,253}$", max_length=253)]


class Authentication(Frozen):
    """How the provider is told who calls."""

    type: Literal["bearer_token", "api_key", "none"] = "none"
    secret_ref: SecretRef | None = None
    # A key older than this is due for rotation; 0: no policy.
    rotation_days: Annotated[int, Field(ge=0, le=3650)] = 0

    @model_validator(mode="after")
    def _reference_unless_none(self) -> Authentication:
        if self.type != "none" and self.secret_ref is None:
            raise ValueError(f"secret_ref is required when type is {self.type}")
        if self.type == "none" and self.secret_ref is not None:
            raise ValueError("secret_ref needs type bearer_token or api_key")
        return self


class ModelFields(Frozen):
    """What a model consists of, whoever gives it its name: we, or Kubernetes' metadata."""

    provider: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_-]{0,63}$", max_length=64)]
    model_name: Annotated[
        str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._:/@+-]{0,255}$", min_length=1, max_length=256)
    ]
    version: str = Field(default="", max_length=64)
    capabilities: tuple[Capability, ...] = Field(default=(), max_length=64)
    parameters: ModelParameters = ModelParameters()
    cost: Cost | None = None
    rate_limits: RateLimits = RateLimits()
    endpoints: Endpoints = Endpoints()
    authentication: Authentication = Authentication()
    context_length: Annotated[int, Field(ge=1, le=100_000_000)] | None = None

    @model_validator(mode="after")
    def _custom_needs_endpoint(self) -> Self:
        if self.provider == "custom" and not self.endpoints.primary:
            raise ValueError("endpoints.primary is required when provider is custom")
        return self


class ModelDefinition(ModelFields):
    """One model of a provider under a name of ours."""

    name: Name


def check_endpoint(url: str) -> None:
    """Refuse a URL that is no plain http(s) URL or points at a metadata service.

    Raises `ValueError`. Addresses behind a name are checked again when the connection is made
    (`deployments/upstream.py`).
    """
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname or "", parts.port
    except ValueError:
        raise ValueError("is not a URL") from None
    if parts.scheme not in ("http", "https") or not host:
        raise ValueError("must be an http:// or https:// URL with a host")
    if parts.username or parts.password:
        raise ValueError("must not carry credentials; use authentication.secret_ref")
    if parts.fragment or any(ch.isspace() or ord(ch) < 0x20 for ch in url):
        raise ValueError("must not contain a fragment, blanks or control characters")
    if host.lower().rstrip(".") in METADATA_HOSTS or is_forbidden_address(host):
        raise ValueError("link-local and metadata addresses are refused")


def is_forbidden_address(host: str) -> bool:
    """Whether a literal address is link-local, a metadata service, multicast or unspecified."""
    try:
        address = ipaddress.ip_address(host.strip("[]").split("%")[0])
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    address = mapped or address
    return (
        address.is_link_local
        or address.is_multicast
        or address.is_unspecified
        or str(address) in ("fd00:ec2::254", "100.100.100.200", "168.63.129.16")
    )
