"""One completion, from the client's request to the answer: frozen types that the stages hand on.

``body`` is always an OpenAI request body: the ingress codecs make one out of every other protocol, and
the lanes make any provider's out of it. Beside it goes what the client wrote itself, for endpoints that speak
the client's own protocol: they are sent that, byte for byte, and their answer goes back as it came.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import Any

from voyager_llm.domain.endpoint import Endpoint
from voyager_llm.domain.operation import Operation
from voyager_llm.domain.usage import NOTHING_USED, Usage
from voyager_llm.errors import InvalidArgument, VoyagerError

# Of an API: names in lower case, with their values.
Headers = tuple[tuple[str, str], ...]
JSON = "application/json"


@dataclass(frozen=True, slots=True)
class PromptCall:
    """A stored prompt to be rendered. ``texts``: the variables are strings of a string map."""

    name: str
    version: str
    variables: Mapping[str, Any]
    texts: bool = False


@dataclass(frozen=True, slots=True)
class Resource:
    """What of an account is asked for, and how. ``path``: behind that of the operation."""

    method: str = "POST"
    path: str = ""


@dataclass(frozen=True, slots=True)
class Original:
    """A request as its client wrote it: the operation of its API, the bytes of its body, and what they hold,
    which is checked.

    ``headers`` are those of the API that steer it, such as ``anthropic-beta``."""

    operation: Operation
    body: bytes
    document: Mapping[str, Any]
    headers: Headers = ()
    # Of a form: where in ``body`` the model's name stands.
    model_at: tuple[int, int] | None = None
    # Of what belongs to an account: it names no model, and is sent as it is.
    resource: Resource | None = None


def _no_obstacle() -> None:
    return None


@dataclass(frozen=True, slots=True)
class CompletionRequest:
    """One logical request. ``destination`` is a model's or route's name; empty: any that fits the prompt.

    ``body`` holds parameters of the operation alone (`parameters.py`). One in the place of another API's
    words may be made when somebody first looks into it or asks for its obstacle, which then raises
    `InvalidArgument` for what is no request."""

    operation: Operation
    destination: str
    body: Mapping[str, Any]
    # Names in ``body`` that no table knows: whoever answers must allow them.
    further: frozenset[str] = frozenset()
    prompt: PromptCall | None = None
    stream: bool = False
    # Whether the client asked for usage at the end of a stream.
    include_usage: bool = False
    # None where ``body`` says something else by now, as with a prompt filled in.
    original: Original | None = None
    # Whether ``body`` was made of another API's words, and holds what only some models know.
    is_translated: bool = False
    # Says what the client asks for and ``body`` cannot say; then only who speaks the client's API may answer.
    obstacle: Callable[[], InvalidArgument | None] = _no_obstacle
    # Key of the one endpoint that may answer; empty: any.
    endpoint: str = ""
    # Whether a second call would do harm: none is made, whatever becomes of the first.
    once: bool = False


@dataclass(frozen=True, slots=True)
class Call:
    """One attempt: a body, ready to be sent, to one endpoint. Times in seconds."""

    # In whose words the body is, and the answer will be.
    operation: Operation
    endpoint: Endpoint
    # With the endpoint's defaults merged in.
    body: bytes
    stream: bool
    include_usage: bool
    # Until the whole answer, or the first block of a stream.
    timeout_s: float
    # Between two blocks of a stream.
    idle_timeout_s: float
    # Until the end of a stream.
    total_timeout_s: float
    headers: Headers = ()
    resource: Resource = Resource()


@dataclass(frozen=True, slots=True)
class Answer:
    """A provider's answer in the shape of the call's operation. ``usage`` is None when the provider gave
    none."""

    body: bytes
    usage: Usage | None
    content_type: str = JSON


@dataclass(frozen=True, slots=True)
class StreamEnd:
    """Closes a stream: what it used, and the fault that ended it early."""

    usage: Usage | None = None
    error: VoyagerError | None = None


class Reason(StrEnum):
    """Why an attempt was made."""

    FIRST = "first"
    # The same endpoint once more.
    REPEAT = "repeat"
    # Another endpoint, after a failure.
    FALLBACK = "fallback"
    # Another endpoint beside one that is late.
    HEDGE = "hedge"


@dataclass(frozen=True, slots=True)
class Tried:
    """One attempt that is over. ``outcome`` is "ok" or the code of the error that ``message`` tells."""

    model: str
    # Names the endpoint: `Endpoint.key`.
    endpoint: str
    reason: Reason
    outcome: str
    message: str
    duration_s: float


@dataclass(frozen=True, slots=True)
class Account:
    """What a request came to, however it ended: what is counted, logged and told to the client.

    ``outcome`` is "ok" or an error's code, ``cause`` its text. ``model`` is the one that answered, else the
    last that was tried, else the one that was asked for; ``route`` the route that chose it. Either may be
    empty."""

    outcome: str
    cause: str = ""
    route: str = ""
    model: str = ""
    # The provider's name of the model.
    model_used: str = ""
    usage: Usage = NOTHING_USED
    # In the currency of the model's price.
    cost: Decimal = Decimal(0)
    attempts: tuple[Tried, ...] = ()
    duration_s: float = 0.0
    # Until a stream began; 0 for a whole answer.
    first_block_s: float = 0.0
    prompt_name: str = ""
    prompt_version: str = ""


@dataclass(frozen=True, slots=True)
class Completion:
    """A whole answer in the shape of an operation, and what it came to."""

    operation: Operation
    body: bytes
    account: Account
    content_type: str = JSON
