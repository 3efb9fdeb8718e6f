"""A model: which provider's, with which defaults, prices, limits, endpoints and credentials.

Fields are the specification's ModelDefinition. Used by the store, the compiler and the codecs.
"""

from __future__ import annotations

import re
from decimal import Decimal
from difflib import get_close_matches
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, AwareDatetime, Field, WithJsonSchema, field_validator, model_validator

from voyager_llm.domain.address import check_endpoint
from voyager_llm.domain.alias import Aliases
from voyager_llm.domain.definition import Capability, Frozen, Money, Name, json_value
from voyager_llm.domain.parameters import NAME, PARAMETERS, REQUESTED, may_be_allowed
from voyager_llm.domain.providers import NAMES, Provider, provider, reaches

# Of a region or project that becomes part of an address: nothing that could end a host's name.
_SETTING = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]{0,127}")


def _allowable(name: str) -> str:
    if not may_be_allowed(name):
        raise ValueError(f"{name!r} cannot be allowed: it says how a call is made")
    return name


def _known_provider(name: str) -> str:
    if name not in NAMES:
        near = get_close_matches(name, NAMES, 1)
        meant = f" (did you mean {near[0]!r}?)" if near else ""
        raise ValueError(
            f"no provider is called {name!r}{meant}; one that speaks OpenAI's protocol is 'custom'"
        )
    return name


ParameterName = Annotated[str, Field(pattern=f"^{NAME.pattern}$", max_length=64), AfterValidator(_allowable)]
ProviderName = Annotated[
    str,
    Field(max_length=64),
    AfterValidator(_known_provider),
    WithJsonSchema({"type": "string", "enum": list(NAMES)}),
]


class ModelParameters(Frozen):
    """Defaults for a call, under which a request's own value wins.

    ``extra`` holds parameters that have no field here, and a region, project or version of the API where
    the provider's address needs one. ``allow`` names parameters that requests may set although no table
    knows them."""

    max_tokens: Annotated[int, Field(ge=1, le=10_000_000)] | None = None
    temperature: Annotated[float, Field(ge=0, le=2)] | None = None
    top_p: Annotated[float, Field(ge=0, le=1)] | None = None
    frequency_penalty: Annotated[float, Field(ge=-2, le=2)] | None = None
    presence_penalty: Annotated[float, Field(ge=-2, le=2)] | None = None
    seed: int | None = None
    stop: tuple[Annotated[str, Field(max_length=256)], ...] = Field(default=(), max_length=16)
    extra: dict[str, Annotated[Any, AfterValidator(json_value)]] = Field(
        default_factory=dict[str, Any], max_length=64
    )
    allow: tuple[ParameterName, ...] = Field(default=(), max_length=64)


class TokenCosts(Frozen):
    """Prices per token. A kind that has none costs what other tokens of its direction cost, in the proportion
    that the provider's known prices have."""

    input_token_cost: Money = Decimal(0)
    output_token_cost: Money = Decimal(0)
    cached_input_token_cost: Money | None = None
    cache_write_input_token_cost: Money | None = None
    cache_write_1h_input_token_cost: Money | None = None
    reasoning_token_cost: Money | None = None
    audio_input_token_cost: Money | None = None
    audio_output_token_cost: Money | None = None
    image_input_token_cost: Money | None = None
    image_output_token_cost: Money | None = None


class CostChange(TokenCosts):
    """Prices that hold from a moment on."""

    valid_from: Annotated[
        AwareDatetime,
        WithJsonSchema({"type": "string", "format": "date-time", "maxLength": 64}),
    ]


class Cost(TokenCosts):
    """Prices per token, in ``currency``, and what they change to; the first of two from one moment counts."""

    currency: Annotated[str, Field(pattern=r"^[A-Z]{3}$", max_length=3)] = "USD"
    changes: tuple[CostChange, ...] = Field(default=(), max_length=16)


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

    provider: ProviderName
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
    aliases: Aliases = ()

    @model_validator(mode="after")
    def _calls_are_possible(self) -> Self:
        of = provider(self.provider)
        if of.needs_endpoint and not self.endpoints.primary:
            raise ValueError(f"endpoints.primary is required when provider is {self.provider}")
        _check_extra(self.parameters.extra, of, self.provider)
        _check_ambient(self.authentication, self.endpoints, of, self.provider)
        return self


class ModelDefinition(ModelFields):
    """One model of a provider under a name of ours."""

    name: Name


def _check_extra(extra: dict[str, Any], of: Provider, name: str) -> None:
    """Nothing but parameters, and the settings that the provider's address needs. Raises `ValueError`."""
    for key, value in extra.items():
        if key in of.settings:
            if not isinstance(value, str) or not _SETTING.fullmatch(value):
                raise ValueError(f"parameters.extra.{key} must be letters, digits and hyphens")
            continue
        known = [table[key] for table in PARAMETERS.values() if key in table and key not in REQUESTED]
        if known and not any(parameter.accepts(value) for parameter in known):
            raise ValueError(f"parameters.extra.{key} must be {known[0].what}")
        if not known and not may_be_allowed(key):
            may = f"; of the call itself it takes {', '.join(sorted(of.settings))}" if of.settings else ""
            raise ValueError(f"parameters.extra.{key[:64]} is no parameter of provider {name}{may}")


def _check_ambient(given: Authentication, endpoints: Endpoints, of: Provider, name: str) -> None:
    """Without a secret these providers use this machine's own identity, which is for their hosts alone.

    Raises `ValueError`."""
    if given.secret_ref is not None:
        if not of.key_argument:
            raise ValueError(f"provider {name} takes no authentication: it uses this machine's own identity")
        return
    if not of.hosts:
        return
    for url in filter(None, (endpoints.primary, endpoints.backup)):
        if not reaches(urlsplit(url).hostname or "", of.hosts):
            raise ValueError(f"provider {name} at an address of its own needs authentication.secret_ref")
