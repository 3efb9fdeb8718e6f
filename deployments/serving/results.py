"""Errors between deployments travel as values, not as exceptions.

Ray wraps an exception that leaves a replica into one of its own, with the replica's stack trace in its
text, and logs it. An error of ours is an ordinary answer, so it is returned, and raised again on the
other side. Any other is logged where it arose and travels as an `Internal`, so that whatever is raised at
a handle comes from Ray or Serve. Used by the deployments and the handles that call them.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable
from typing import Any, TypeVar

from voyager_llm.errors import VoyagerError, public

log = logging.getLogger(__name__)

T = TypeVar("T")


async def as_value(work: Awaitable[T]) -> T | VoyagerError:
    """The result, or the error that ``work`` raised."""
    try:
        return await work
    except VoyagerError as error:
        # Without its traceback and cause, which may hold what must not travel.
        return error.with_traceback(None)
    except Exception as error:
        log.exception("failed for a reason that is no error of ours")
        return public(error)


def raised(result: Any) -> Any:
    """The result that came over; raises it where it is an error."""
    if isinstance(result, VoyagerError):
        raise result
    return result
