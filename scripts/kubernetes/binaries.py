"""kube-apiserver and etcd: from `KUBEBUILDER_ASSETS`, from the cache, or built once out of their Go modules.

Versions and hashes stand in `apiserver/` and `etcd/` beside this file. Building takes about four minutes on
two cores. Used by `control_plane.py`.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).parent
CACHE = Path(os.environ.get("VOYAGER_CACHE", Path.home() / ".cache" / "voyager-llm"))

# Binary → folder with its go.mod.
_SOURCES = {"etcd": "etcd", "kube-apiserver": "apiserver"}
# The oldest Go that the modules accept.
_GO_MINOR = 25


def folder() -> Path:
    """A folder that holds both binaries. Raises `RuntimeError` when they cannot be built."""
    assets = os.environ.get("KUBEBUILDER_ASSETS", "")
    if assets and all((Path(assets) / name).exists() for name in _SOURCES):
        return Path(assets)
    found = CACHE / f"kubernetes-{_fingerprint()}"
    for name, source in _SOURCES.items():
        if not (found / name).exists():
            _build(name, HERE / source, found)
    return found


def _fingerprint() -> str:
    content = hashlib.sha256()
    for source in sorted(_SOURCES.values()):
        for name in ("go.mod", "go.sum", "main.go"):
            content.update((HERE / source / name).read_bytes())
    return content.hexdigest()[:16]


def _build(name: str, source: Path, into: Path) -> None:
    print(f"building {name} (once; a few minutes) …", file=sys.stderr, flush=True)
    into.mkdir(parents=True, exist_ok=True)
    # In a copy: a build must not touch the tree, and another one may run at the same time.
    with tempfile.TemporaryDirectory(dir=into) as scratch:
        work = Path(scratch) / "source"
        shutil.copytree(source, work)
        built = Path(scratch) / name
        command = [go(), "build", "-mod=readonly", "-trimpath", "-ldflags=-s -w", "-o", str(built), "."]
        result = subprocess.run(command, cwd=work, capture_output=True, text=True, check=False)
        if result.returncode:
            raise RuntimeError(f"{name} could not be built:\n{result.stderr[-4000:]}")
        built.replace(into / name)


def go() -> str:
    """Go of this machine where it is new enough, else the one that the lock file brings."""
    found = shutil.which("go")
    if found:
        version = subprocess.run([found, "env", "GOVERSION"], capture_output=True, text=True, check=False)
        major, _, rest = version.stdout.strip().removeprefix("go").partition(".")
        minor = rest.split(".")[0]
        if major == "1" and minor.isdigit() and int(minor) >= _GO_MINOR:
            return found
    return str(Path(sys.executable).with_name("go"))


if __name__ == "__main__":
    print(folder())
