"""Programs of Kubernetes' world, built once out of their Go modules: kube-apiserver, etcd, kubectl,
helm, kustomize, KubeRay's operator.

Versions and hashes stand in the folders beside this file. Building all takes about eight minutes on two
cores. Used by `control_plane.py`, by `kuberay.py`, and by the tests of `kuberay/`.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent
CACHE = Path(os.environ.get("VOYAGER_CACHE", Path.home() / ".cache" / "voyager-llm"))


@dataclass(frozen=True, slots=True)
class Program:
    """One program: the folder with its go.mod, and the package to build there."""

    name: str
    folder: str
    package: str = "."


ETCD = Program("etcd", "etcd")
API_SERVER = Program("kube-apiserver", "apiserver")
KUBECTL = Program("kubectl", "apiserver", "k8s.io/kubernetes/cmd/kubectl")
HELM = Program("helm", "helm", "helm.sh/helm/v3/cmd/helm")
KUSTOMIZE = Program("kustomize", "kustomize", "sigs.k8s.io/kustomize/kustomize/v5")
OPERATOR = Program("kuberay-operator", "operator", "github.com/ray-project/kuberay/ray-operator")

# The oldest Go that all the modules accept.
_GO_MINOR = 27


def binary(program: Program) -> Path:
    """Where a program is: in `KUBEBUILDER_ASSETS`, in the cache, or built into it now.

    Raises `RuntimeError` when it cannot be built."""
    assets = Path(os.environ.get("KUBEBUILDER_ASSETS") or "/nonexistent") / program.name
    if assets.exists():
        return assets
    source = HERE / program.folder
    found = CACHE / "programs" / _fingerprint(source) / program.name
    if not found.exists():
        _build(program, source, found.parent)
    return found


def _fingerprint(source: Path) -> str:
    content = hashlib.sha256()
    for path in sorted(source.iterdir()):
        content.update(path.read_bytes())
    return content.hexdigest()[:16]


def _build(program: Program, source: Path, into: Path) -> None:
    print(f"building {program.name} (once; a minute or more) …", file=sys.stderr, flush=True)
    into.mkdir(parents=True, exist_ok=True)
    # In a copy: a build must not touch the tree, and another one may run at the same time.
    with tempfile.TemporaryDirectory(dir=into) as scratch:
        work = Path(scratch) / "source"
        shutil.copytree(source, work)
        built = Path(scratch) / program.name
        command = [
            go(), "build", "-mod=readonly", "-trimpath", "-ldflags=-s -w", "-o", str(built), program.package,
        ]  # fmt: skip
        result = subprocess.run(command, cwd=work, capture_output=True, text=True, check=False)
        if result.returncode:
            raise RuntimeError(f"{program.name} could not be built:\n{result.stderr[-4000:]}")
        built.replace(into / program.name)


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
    for wanted in (ETCD, API_SERVER, KUBECTL, HELM, KUSTOMIZE, OPERATOR):
        print(binary(wanted))
