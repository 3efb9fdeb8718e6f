"""`make check`: no file grows past its ceiling. One idea a file; 400 lines are the most that it may take."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

CEILING = 400
GENERATED = "voyager_llm/v1/"


def main() -> int:
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "*.py"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()
    long = {
        name: lines
        for name in listed
        if not name.startswith(GENERATED)
        and Path(name).exists()
        and (lines := len(Path(name).read_text().splitlines())) > CEILING
    }
    for name, lines in sorted(long.items()):
        print(f"{name}: {lines} lines; {CEILING} is the ceiling, so part it by idea")
    return 1 if long else 0


if __name__ == "__main__":
    sys.exit(main())
