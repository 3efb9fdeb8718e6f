"""Errors between deployments travel as values, not as exceptions.

Ray wraps an exception that leaves a replica into one of its own, with the replica's stack trace in its
text, and logs it. An error of ours is an ordinary answer, so it is returned, and raised again on the
other side. Used by the deployments and the handles that call them.
"""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Any, TypeVar

from voyager_llm.errors import VoyagerError

T = TypeVar("T")


async def as_value(work: Awaitable[T]) -> T | VoyagerError:
    """The result, or the error that ``work`` raised."""
    try:
        return await work
    except VoyagerError as error:
        # Without its traceback and cause, which may hold what must not travel.
        return error.with_traceback(None)


def raised(result: Any) -> Any:
    """The result that came over; raises it where it is an error."""
    if isinstance(result, VoyagerError):
        raise result
    return result
