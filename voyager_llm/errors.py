"""Every error a caller of the service can meet, and the one table that renders it.

The tree::

    VoyagerError
    ├── InvalidArgument            the request is wrong; `field` says where
    │   ├── TemplateInvalid        a prompt template does not parse or is not allowed
    │   ├── RenderFailed           variables do not fit, or rendering hit a limit
    │   ├── PreviousResponseNotFound  the response to go on from is not kept
    │   ├── RequestTooLarge        body or text over the limit
    │   ├── RequestTimeout         the body did not come in time
    │   ├── ContextWindowExceeded  the prompt does not fit the model
    │   ├── ContentPolicyRefused   the provider's content policy refused
    │   └── UpstreamRejected       the provider says that the request is wrong
    ├── Unauthenticated            no valid API key
    ├── NotFound                   no such model, prompt, route, version or path
    │   └── MethodNotAllowed       the path has no such method; `allowed` are those that it has
    ├── AlreadyExists              the name is taken
    ├── VersionConflict            other content under an immutable version, or a stale etag
    ├── FailedPrecondition         e.g. deleting a model that a route still uses
    ├── RateLimited                a limit of the model; `retry_after_s` says when to come back
    │   ├── Overloaded             this service is full
    │   ├── UpstreamRateLimited    the provider's limit
    │   └── UpstreamRequestTooLarge  this request alone is over the provider's limit a minute
    ├── Unavailable                nothing can answer now
    │   ├── StoreUnavailable       the definitions' database cannot be read or written now
    │   ├── CallerLost             our process that made the call died, or cannot be reached
    │   ├── UpstreamUnavailable    answered with 5xx, or the connection broke off
    │   │   └── UpstreamUnreachable  no connection could be made
    │   ├── UpstreamConflict       409, 425: the provider wants this request sent again
    │   └── StreamInterrupted      the answer broke off after its first byte
    ├── DeadlineExceeded           the request's time is up
    │   └── UpstreamTimeout        one attempt's time is up
    ├── UpstreamInvalid            the provider's answer cannot be read
    ├── UpstreamMisconfigured      the provider refused our credentials or our account
    │   └── UpstreamUnsupported    the endpoint has no such model or operation
    ├── Cancelled                  the client went away
    └── Internal                   a fault of ours

Errors cross process borders by pickle, so every argument goes positionally to
``Exception.__init__``. Messages are ours: no URL, secret or stack trace of a provider.
Used by every room; rendered by `deployments/ingress`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import ClassVar


@dataclass(frozen=True, slots=True)
class Standing:
    """A limit a minute as one replica knows it: what was left at its last lease, its own part included, and
    the seconds until nothing of what was granted counts any more."""

    limit: int
    remaining: int
    reset_s: float


@dataclass(frozen=True, slots=True)
class Fault:
    """One of several things that are wrong with a request. ``code`` is that of an error in the tree."""

    field: str
    message: str
    code: str


class VoyagerError(Exception):
    """Base of the tree.

    ``message`` is shown to the caller, ``field`` names the offending input (a dotted path, or
    empty), ``retry_after_s`` is the number of seconds after which a retry may help (0: unknown).
    ``causes`` says in a line each what the attempts showed of which the error is the last, ``limits`` how the
    limits stand that were asked, by name, and ``faults`` one by one what is wrong, where that is more than
    ``field`` and ``message`` say.
    """

    code: ClassVar[str] = "internal"
    causes: tuple[str, ...] = ()
    limits: Mapping[str, Standing] = MappingProxyType({})
    faults: tuple[Fault, ...] = ()

    def __init__(self, message: str, field: str = "", retry_after_s: float = 0.0) -> None:
        super().__init__(message, field, retry_after_s)
        self.message = message
        self.field = field
        self.retry_after_s = retry_after_s

    def __str__(self) -> str:
        return f"{self.field}: {self.message}" if self.field else self.message


class InvalidArgument(VoyagerError):
    code = "invalid_argument"


class TemplateInvalid(InvalidArgument):
    code = "template_invalid"


class RenderFailed(InvalidArgument):
    code = "render_failed"


class PreviousResponseNotFound(InvalidArgument):
    code = "previous_response_not_found"


class RequestTooLarge(InvalidArgument):
    code = "request_too_large"


class RequestTimeout(InvalidArgument):
    code = "request_timeout"


class ContextWindowExceeded(InvalidArgument):
    code = "context_length_exceeded"


class ContentPolicyRefused(InvalidArgument):
    code = "content_policy_violation"


class UpstreamRejected(InvalidArgument):
    """``provider_code`` is the provider's own word for what is wrong; empty: it gave none."""

    code = "upstream_rejected"

    def __init__(
        self, message: str, field: str = "", retry_after_s: float = 0.0, provider_code: str = ""
    ) -> None:
        super().__init__(message, field, retry_after_s)
        self.args = (message, field, retry_after_s, provider_code)
        self.provider_code = provider_code


class Unauthenticated(VoyagerError):
    code = "unauthenticated"


class NotFound(VoyagerError):
    code = "not_found"


class MethodNotAllowed(NotFound):
    """``allowed``: the methods that there are, as the header ``allow`` has them."""

    code = "method_not_allowed"

    def __init__(self, message: str, field: str = "", retry_after_s: float = 0.0, allowed: str = "") -> None:
        super().__init__(message, field, retry_after_s)
        self.args = (message, field, retry_after_s, allowed)
        self.allowed = allowed


class AlreadyExists(VoyagerError):
    code = "already_exists"


class VersionConflict(VoyagerError):
    code = "version_conflict"


class FailedPrecondition(VoyagerError):
    code = "failed_precondition"


class RateLimited(VoyagerError):
    code = "rate_limit_exceeded"


class Overloaded(RateLimited):
    code = "overloaded"


class UpstreamRateLimited(RateLimited):
    code = "upstream_rate_limited"


class UpstreamRequestTooLarge(RateLimited):
    code = "upstream_request_too_large"


class Unavailable(VoyagerError):
    code = "unavailable"


class StoreUnavailable(Unavailable):
    code = "store_unavailable"


class CallerLost(Unavailable):
    code = "caller_lost"


class UpstreamUnavailable(Unavailable):
    code = "upstream_unavailable"


class UpstreamUnreachable(UpstreamUnavailable):
    code = "upstream_unreachable"


class UpstreamConflict(Unavailable):
    code = "upstream_conflict"


class StreamInterrupted(Unavailable):
    code = "stream_interrupted"


class DeadlineExceeded(VoyagerError):
    code = "deadline_exceeded"


class UpstreamTimeout(DeadlineExceeded):
    code = "upstream_timeout"


class UpstreamInvalid(VoyagerError):
    code = "upstream_invalid_response"


class UpstreamMisconfigured(VoyagerError):
    code = "upstream_misconfigured"


class UpstreamUnsupported(UpstreamMisconfigured):
    code = "upstream_unsupported"


class Cancelled(VoyagerError):
    code = "cancelled"


class Internal(VoyagerError):
    code = "internal"


@dataclass(frozen=True, slots=True)
class Rendering:
    """How one error code looks on each wire. ``grpc`` is the canonical status name."""

    http: int
    grpc: str
    openai_type: str

    @property
    def anthropic_type(self) -> str:
        """What Anthropic's API calls an error of this status."""
        default = "api_error" if self.http >= 500 else "invalid_request_error"
        return _ANTHROPIC_TYPES.get(self.http, default)


_ANTHROPIC_TYPES = {
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    # Come again soon, as of its own 529.
    503: "overloaded_error",
    504: "timeout_error",
}


_BAD_REQUEST = Rendering(400, "INVALID_ARGUMENT", "invalid_request_error")
_CONFLICT = Rendering(409, "ABORTED", "invalid_request_error")

RENDERINGS: dict[str, Rendering] = {
    "invalid_argument": _BAD_REQUEST,
    "template_invalid": _BAD_REQUEST,
    "render_failed": _BAD_REQUEST,
    "previous_response_not_found": _BAD_REQUEST,
    "request_too_large": Rendering(413, "INVALID_ARGUMENT", "invalid_request_error"),
    "request_timeout": Rendering(408, "DEADLINE_EXCEEDED", "invalid_request_error"),
    "context_length_exceeded": _BAD_REQUEST,
    "content_policy_violation": _BAD_REQUEST,
    "upstream_rejected": _BAD_REQUEST,
    "unauthenticated": Rendering(401, "UNAUTHENTICATED", "authentication_error"),
    "not_found": Rendering(404, "NOT_FOUND", "invalid_request_error"),
    "method_not_allowed": Rendering(405, "UNIMPLEMENTED", "invalid_request_error"),
    "already_exists": Rendering(409, "ALREADY_EXISTS", "invalid_request_error"),
    "version_conflict": _CONFLICT,
    "failed_precondition": Rendering(409, "FAILED_PRECONDITION", "invalid_request_error"),
    "rate_limit_exceeded": Rendering(429, "RESOURCE_EXHAUSTED", "rate_limit_error"),
    "overloaded": Rendering(503, "RESOURCE_EXHAUSTED", "server_error"),
    "upstream_rate_limited": Rendering(429, "RESOURCE_EXHAUSTED", "rate_limit_error"),
    "upstream_request_too_large": Rendering(429, "RESOURCE_EXHAUSTED", "rate_limit_error"),
    "unavailable": Rendering(503, "UNAVAILABLE", "server_error"),
    "store_unavailable": Rendering(503, "UNAVAILABLE", "server_error"),
    "caller_lost": Rendering(503, "UNAVAILABLE", "server_error"),
    "upstream_unavailable": Rendering(503, "UNAVAILABLE", "server_error"),
    "upstream_unreachable": Rendering(503, "UNAVAILABLE", "server_error"),
    "upstream_conflict": Rendering(503, "ABORTED", "server_error"),
    "stream_interrupted": Rendering(502, "UNAVAILABLE", "server_error"),
    "deadline_exceeded": Rendering(504, "DEADLINE_EXCEEDED", "server_error"),
    "upstream_timeout": Rendering(504, "DEADLINE_EXCEEDED", "server_error"),
    "upstream_invalid_response": Rendering(502, "UNAVAILABLE", "server_error"),
    "upstream_misconfigured": Rendering(502, "FAILED_PRECONDITION", "server_error"),
    "upstream_unsupported": Rendering(502, "FAILED_PRECONDITION", "server_error"),
    "cancelled": Rendering(499, "CANCELLED", "server_error"),
    "internal": Rendering(500, "INTERNAL", "server_error"),
}


def rendering(error: VoyagerError) -> Rendering:
    """The row of the table for an error."""
    return RENDERINGS[error.code]


def public(error: BaseException) -> VoyagerError:
    """The error as a caller may see it: ours as it is, anything else as a plain `Internal`."""
    if isinstance(error, VoyagerError):
        return error
    # Ray wraps an error of another process in a class that also inherits from the cause's class,
    # but may hide it in `cause` where it cannot.
    cause = getattr(error, "cause", None)
    if isinstance(cause, VoyagerError):
        return cause
    return Internal("Internal error; the service's log says more.")
