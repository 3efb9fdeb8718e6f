"""CRDs of other operators that our manifests use, out of their Go modules; versions and hashes are fixed.

Used by the tests of `kuberay/` and by the demo, so that what we ship is checked against the real schemas.
"""

from __future__ import annotations

import json
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from scripts.kubernetes.binaries import CACHE, go


@dataclass(frozen=True, slots=True)
class Source:
    """A module, its hash as of go.sum, and where in it the CRDs stand."""

    module: str
    hash: str
    files: str


KUBERAY = Source(
    "github.com/ray-project/kuberay/ray-operator@v1.6.2",
    "h1:XUckRswLMyk71D00L62d2Vanh0fVkNqu56+IF/rr+O0=",
    "config/crd/bases/ray.io_*.yaml",
)
EXTERNAL_SECRETS = Source(
    "github.com/external-secrets/external-secrets@v1.3.2",
    "h1:u2J8RjlHIeF0oZCqtl92adI/uZWUwOesJIDkfql6LqQ=",
    "config/crds/bases/external-secrets.io_*secret*.yaml",
)
VAULT_SECRETS = Source(
    "github.com/hashicorp/vault-secrets-operator@v0.10.0",
    "h1:BjOTBJRqx1SLo7NeyqNJWRPDyfRscbqPtGU1U2LzArg=",
    "config/crd/bases/secrets.hashicorp.com_vault*.yaml",
)
PROMETHEUS = Source(
    "github.com/prometheus-operator/prometheus-operator@v0.85.0",
    "h1:M5xLCLEoaW2IJfnuCwFzzpL+jSVQu3KGT84Pye+fW8s=",
    "example/prometheus-operator-crd/monitoring.coreos.com_*monitors.yaml",
)


def crds(source: Source) -> list[dict[str, Any]]:
    """The CustomResourceDefinitions of a source. Raises `RuntimeError` when they are not what they were."""
    found = documents(source, source.files)
    return [document for document in found if document["kind"] == "CustomResourceDefinition"]


def documents(source: Source, files: str) -> list[dict[str, Any]]:
    """What stands in some files of a source. Raises `RuntimeError` when there are none."""
    folder = _download(source)
    found = [
        document
        for path in sorted(folder.glob(files))
        for document in yaml.safe_load_all(path.read_text())
        if document
    ]
    if not found:
        raise RuntimeError(f"{source.module} has nothing at {files}")
    return found


def _download(source: Source) -> Path:
    environment = {**os.environ, "GOMODCACHE": str(CACHE / "go-modules"), "GOFLAGS": "-modcacherw"}
    CACHE.mkdir(parents=True, exist_ok=True)
    result = subprocess.run(
        [go(), "mod", "download", "-json", source.module],
        cwd=CACHE, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    answer: dict[str, str] = json.loads(result.stdout or "{}")
    if result.returncode or "Error" in answer:
        raise RuntimeError(f"{source.module} could not be fetched: {answer.get('Error') or result.stderr}")
    if answer["Sum"] != source.hash:
        raise RuntimeError(f"{source.module} has the hash {answer['Sum']}, not {source.hash}")
    return Path(answer["Dir"])
