"""What the person who started the service reads: a line for each step. Used by `launch.py` and its parts."""

from __future__ import annotations

from contextlib import suppress

from rich.console import Console

_console = Console(stderr=True, highlight=False, soft_wrap=True, markup=False)


def say(text: str) -> None:
    """Print a line to standard error. A terminal that is gone stops nothing."""
    with suppress(OSError):
        _console.print(text)


def announce(text: str) -> None:
    """Print a line to standard output, at once: scripts wait for it."""
    with suppress(OSError):
        print(text, flush=True)  # noqa: T201
