"""`make audit`, part of `make check`: what is installed is what was locked, wanted and accepted.

Called with uv's command to compile the lock, it asks the package index too; without one, it works offline.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping, Sequence

from scripts.supply.index import check_index
from scripts.supply.licences import check_licences
from scripts.supply.lock import LOCK, Pin, read_lock
from scripts.supply.policy import Policy, read_policy
from scripts.supply.project import Graph, installed_distributions, needed, read_project

_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")


def check_pins(pins: Sequence[Pin], policy: Policy) -> list[str]:
    """Pins without a whole hash for each file, and releases that are known to be malicious."""
    denied = {(denial.package, denial.version): denial for denial in policy.denials}
    return [
        *(
            f"{pin}: no SHA-256 for each of its files; run `make lock`"
            for pin in pins
            if not pin.hashes or not all(_DIGEST.fullmatch(digest) for digest in pin.hashes)
        ),
        *(
            f"{pin}: malicious: {denial.reason} ({denial.source}); lock another release"
            for pin in pins
            if (denial := denied.get((pin.name, pin.version)))
        ),
    ]


def check_installed(pins: Sequence[Pin], installed: Mapping[str, str]) -> list[str]:
    """Differences between the lock and the environment, which maps names to versions."""
    locked = {pin.name: pin.version for pin in pins if pin.installed_here}
    return [
        f"{name}: {locked.get(name, 'no version')} is locked, {installed.get(name, 'none')} installed;"
        " remove .venv/.installed and run `make setup`"
        for name in sorted(locked.keys() | installed.keys())
        if locked.get(name) != installed.get(name)
    ]


def check_needed(pins: Sequence[Pin], graph: Graph) -> list[str]:
    """Pins that nothing needs, and needs that no pin meets."""
    locked = {pin.name for pin in pins if pin.installed_here}
    return [
        *(f"{name}: locked, but nothing needs it; run `make lock`" for name in sorted(locked - graph.keys())),
        *(f"{name}: needed, but not locked; run `make lock`" for name in sorted(graph.keys() - locked)),
    ]


def audit(compile_command: Sequence[str]) -> list[str]:
    """All that is wrong, one line each."""
    pins, policy, project = read_lock(), read_policy(), read_project()
    found = installed_distributions()
    others = {name: distribution for name, distribution in found.items() if name != project.name}
    graph = needed((*project.runtime, *project.development), project.overrides)
    return [
        *check_pins(pins, policy),
        *check_installed(pins, {name: distribution.version for name, distribution in others.items()}),
        *check_needed(pins, graph),
        *check_licences(others, {pin.name for pin in pins}, policy),
        *(check_index(compile_command, LOCK) if compile_command else ()),
    ]


def main() -> int:
    problems = audit(sys.argv[1:])
    print(*problems, sep="\n", end="\n" if problems else "")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
