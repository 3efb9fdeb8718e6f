"""`make check`: what `make gen` writes is what is committed."""

from __future__ import annotations

import sys

from scripts.charts import generated
from scripts.generate import CRDS, OUT, main


def snapshot() -> dict[str, bytes]:
    """The generated files' contents."""
    folders = [OUT, CRDS, *generated()]
    return {str(path): path.read_bytes() for folder in folders for path in folder.iterdir() if path.is_file()}


if __name__ == "__main__":
    before = snapshot()
    main()
    after = snapshot()
    changed = sorted(name for name in before.keys() | after.keys() if before.get(name) != after.get(name))
    if changed:
        sys.exit(f"make gen changed {', '.join(changed)}: commit the new files")
