"""`make check`: what `make gen` writes is what is committed."""

from __future__ import annotations

import sys

from scripts.generate import CRDS, OUT, main


def snapshot() -> dict[str, bytes]:
    """The generated files' contents."""
    return {
        path.name: path.read_bytes() for folder in (OUT, CRDS) for path in folder.iterdir() if path.is_file()
    }


if __name__ == "__main__":
    before = snapshot()
    main()
    after = snapshot()
    changed = sorted(name for name in before.keys() | after.keys() if before.get(name) != after.get(name))
    if changed:
        sys.exit(f"make gen changed {', '.join(changed)}: commit the new files")
