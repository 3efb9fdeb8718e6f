"""What the package index says of the lock today: asked through uv, as `make lock` asks it."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

_YANKED = re.compile(r"^warning: `(?P<pin>\S+)` is yanked(?: \(reason: (?P<reason>.*)\))?$", re.MULTILINE)
_PATIENCE_S = 60
_WITHOUT = "`.venv/bin/python -m scripts.supply.audit` makes the checks that need no index"


def check_index(compile_command: Sequence[str], lock: Path) -> list[str]:
    """Locked releases that were yanked, and whether compiling anew would change the lock.

    ``compile_command`` is uv's, but for the output; it runs in the lock's folder. uv prefers the releases
    that are locked, so newer ones change nothing. What does: a requirement that the lock does not meet, and a
    release that the index has no more.
    """
    with TemporaryDirectory() as folder:
        compiled = Path(folder) / lock.name
        shutil.copyfile(lock, compiled)
        command = [*compile_command, "--output-file", str(compiled)]
        try:
            done = subprocess.run(
                command, cwd=lock.parent, capture_output=True, text=True, timeout=_PATIENCE_S, check=False
            )
        except subprocess.TimeoutExpired:
            return [f"the package index did not answer within {_PATIENCE_S} s; {_WITHOUT}"]
        if done.returncode != 0:
            return [
                f"uv could not ask the package index, or found no solution; {_WITHOUT}\n{done.stderr.strip()}"
            ]
        problems = [
            f"{found['pin']}: yanked by its authors ({found['reason'] or 'no reason given'}); run `make lock`"
            for found in _YANKED.finditer(done.stderr)
        ]
        if compiled.read_bytes() != lock.read_bytes():
            problems.append(f"{lock.name} does not fit pyproject.toml; run `make lock`")
        return problems
