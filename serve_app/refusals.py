"""Why the launcher ends by itself; the message is the one line that its user reads. Raised by its parts."""

from __future__ import annotations


class Refused(Exception):  # noqa: N818
    """Something must be changed first; nothing was started. Exit code 2."""


class Failed(Exception):  # noqa: N818
    """Something that the service needs died or never came. Exit code 1, so that a supervisor starts anew."""
