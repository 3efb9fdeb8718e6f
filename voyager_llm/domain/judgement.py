"""What a failed attempt means: one row for each error, and nothing decided anywhere else.

A row says whether the failure speaks of the endpoint, where the request may go on, who pays for that, and
whether the key is read anew. What the client sees stands in the table of `voyager_llm/errors.py`.

Two rules keep one client's requests from changing what others get while the endpoint answers others:

* An answer that is an error, or none in time, counts only where a *witness* shows that the request was good:
  another endpoint answered it, or the same one on repeat. It then makes the endpoint a suspect, which is
  asked after the others, and still asked where there is no other.
* Only what no body can cause keeps everybody away: no connection can be made, or the provider said how long
  to wait.

Going to another endpoint adds no load to the one that fails, so it is free; asking the same one again is paid
out of that endpoint's budget of repeats (`retry.py`). Used by `deployments/request/`, by the prober and, for
the keys, by `deployments/lanes/caller.py`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, auto
from types import MappingProxyType

from voyager_llm.domain.health import EndpointHealth
from voyager_llm.errors import VoyagerError


class Blame(Enum):
    """What a failure says of the endpoint."""

    NONE = auto()
    # Nobody can be answered there: it is left out for a while.
    DOWN = auto()
    # It may be at fault: asked after others for a while, if a witness shows that the request was good.
    WITNESSED = auto()
    # As above, where no witness can be had: an answer that had begun cannot be asked for elsewhere.
    SUSPECT = auto()
    # It asks to wait.
    LIMIT = auto()


class Again(Enum):
    """Whether the same endpoint may be asked once more."""

    NEVER = auto()
    # After a pause, out of its budget of repeats.
    PAID = auto()
    # The call never spoke to it.
    FREE = auto()


class Chain(Enum):
    """A route's own list of fallbacks for a failure."""

    NONE = auto()
    LARGER_CONTEXT = auto()
    OTHER_POLICY = auto()


@dataclass(frozen=True, slots=True)
class Judgement:
    """A row of the table."""

    blame: Blame = Blame.NONE
    # Whether another endpoint may be tried.
    elsewhere: bool = False
    again: Again = Again.NEVER
    chain: Chain = Chain.NONE
    # Whether the key may have been replaced, and is read anew.
    renews_key: bool = False


_REQUEST = Judgement()  # the request is wrong, over, or failed by a fault of ours
_ANSWERED_WRONG = Judgement(Blame.WITNESSED, elsewhere=True, again=Again.PAID)

JUDGEMENTS: Mapping[str, Judgement] = MappingProxyType(
    {
        "invalid_argument": _REQUEST,
        "template_invalid": _REQUEST,
        "render_failed": _REQUEST,
        "request_too_large": _REQUEST,
        "request_timeout": _REQUEST,
        "upstream_rejected": _REQUEST,
        "context_length_exceeded": Judgement(chain=Chain.LARGER_CONTEXT),
        "content_policy_violation": Judgement(chain=Chain.OTHER_POLICY),
        "unauthenticated": _REQUEST,
        "not_found": _REQUEST,
        "method_not_allowed": _REQUEST,
        "previous_response_not_found": _REQUEST,
        "already_exists": _REQUEST,
        "version_conflict": _REQUEST,
        "failed_precondition": _REQUEST,
        # Our own limit of this model: another model has one of its own.
        "rate_limit_exceeded": Judgement(elsewhere=True),
        "overloaded": _REQUEST,
        "upstream_rate_limited": Judgement(Blame.LIMIT, elsewhere=True),
        # Another account, or another provider, may have a higher limit.
        "upstream_request_too_large": Judgement(elsewhere=True),
        # The limits of this model cannot be read now: another model may have none.
        "unavailable": Judgement(elsewhere=True),
        "store_unavailable": _REQUEST,
        "caller_lost": Judgement(again=Again.FREE),
        "upstream_unreachable": Judgement(Blame.DOWN, elsewhere=True, again=Again.PAID),
        "upstream_unavailable": _ANSWERED_WRONG,
        "upstream_conflict": Judgement(elsewhere=True, again=Again.PAID),
        "upstream_invalid_response": _ANSWERED_WRONG,
        # To ask again would only burn the rest of the deadline.
        "upstream_timeout": Judgement(Blame.WITNESSED, elsewhere=True),
        "upstream_misconfigured": Judgement(Blame.WITNESSED, elsewhere=True, renews_key=True),
        "upstream_unsupported": Judgement(Blame.WITNESSED, elsewhere=True),
        "stream_interrupted": Judgement(Blame.SUSPECT),
        "deadline_exceeded": _REQUEST,
        "cancelled": _REQUEST,
        "internal": _REQUEST,
    }
)


def judge(error: VoyagerError) -> Judgement:
    """The row of an error."""
    return JUDGEMENTS[error.code]


def hold_against(health: EndpointHealth, error: VoyagerError, now: float) -> bool:
    """Count a failed attempt or probe against its endpoint as far as it speaks of it.

    True: it is only noted for people to see, and makes the endpoint a suspect once a witness is found."""
    blame = judge(error).blame
    if blame is Blame.NONE:
        return False
    health.failed(now, error.message)
    if blame is Blame.DOWN:
        health.unreachable(now)
    elif blame is Blame.LIMIT:
        health.limited(now, error.retry_after_s)
    elif blame is Blame.SUSPECT:
        health.suspect(now, error.retry_after_s)
    return blame is Blame.WITNESSED
