"""The Helm charts, out of the manifests in `kuberay/base/`: the same YAML, with values where people choose.

Part of `make gen`. A value whose place is not found in the manifests any more stops the generator, so the
chart cannot silently stop to follow them.
"""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BASE = ROOT / "kuberay" / "base"
CHARTS = ROOT / "kuberay" / "charts"
TEMPLATES = CHARTS / "voyager-llm" / "templates"
FILES = CHARTS / "voyager-llm" / "files"

_HEAD = "{{/* Generated out of kuberay/base by `make gen`; not to be edited. */}}\n"


def _summed(name: str) -> str:
    """A pod's metadata with the sum of a file: a changed file makes new pods."""
    value = f'{{{{ .Files.Get "files/{name}" | sha256sum }}}}'
    return f"  template:\n    metadata:\n      annotations:\n        checksum/config: {value}\n"


# What stands in a manifest → what stands in the chart.
_VALUES: dict[str, tuple[tuple[str, str], ...]] = {
    "rbac.yaml": (),
    "admission.yaml": (),
    "controller.yaml": (
        ("image: voyager-llm\n", "image: {{ .Values.image | quote }}\n"),
        ("replicas: 2\n", "replicas: {{ .Values.controller.replicas }}\n"),
        (
            "  template:\n    metadata:\n",
            _summed("serve-config.yaml"),
        ),
    ),
    "rayservice.yaml": (
        ("image: voyager-llm\n", "image: {{ .Values.image | quote }}\n"),
        ("value: split", "value: {{ .Values.topology }}"),
        ("      replicas: 2\n", "      replicas: {{ .Values.workers.replicas }}\n"),
        ("minReplicas: 2\n", "minReplicas: {{ .Values.workers.min }}\n"),
        ("maxReplicas: 8\n", "maxReplicas: {{ .Values.workers.max }}\n"),
    ),
    "rayjob.yaml": (("image: voyager-llm\n", "image: {{ .Values.image | quote }}\n"),),
    "gateway.yaml": (
        ("image: envoyproxy/envoy:distroless-v1.36.2\n", "image: {{ .Values.gateway.image | quote }}\n"),
        ("replicas: 2\n", "replicas: {{ .Values.gateway.replicas }}\n"),
        (
            "  template:\n    metadata:\n",
            _summed("envoy.yaml"),
        ),
    ),
    "networkpolicies.yaml": (),
    "phoenix.yaml": (
        (
            "image: arizephoenix/phoenix:version-20.26.1-nonroot\n",
            "image: {{ .Values.phoenix.image | quote }}\n",
        ),
    ),
    "monitoring.yaml": (),
}
_OPTIONAL = {"phoenix.yaml": "phoenix", "monitoring.yaml": "monitoring"}

# Copied to where kustomize and Helm may read them: neither looks outside of its own folder.
_COPIES = (
    (ROOT / "voyager_llm" / "v1" / "descriptor.binpb", (BASE / "envoy" / "descriptor.binpb", FILES)),
    (ROOT / "controller" / "serve-config.yaml", (BASE / "serve" / "serve-config.yaml", FILES)),
    (BASE / "envoy" / "envoy.yaml", (FILES,)),
)


def write_charts() -> None:
    """Write everything that is generated below `kuberay/`. Raises `ValueError`."""
    FILES.mkdir(parents=True, exist_ok=True)
    for source, targets in _COPIES:
        for target in targets:
            path = target / source.name if target.is_dir() else target
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(source.read_bytes())
    for name, values in _VALUES.items():
        text = (BASE / name).read_text()
        for found, value in values:
            if found not in text:
                raise ValueError(f"kuberay/base/{name} has no {found.strip()!r} any more")
            text = text.replace(found, value)
        if option := _OPTIONAL.get(name):
            text = f"{{{{- if .Values.{option}.enabled }}}}\n{text}{{{{- end }}}}\n"
        (TEMPLATES / name).write_text(_HEAD + text)
    folder = CHARTS / "voyager-llm-crds" / "templates"
    folder.mkdir(exist_ok=True)
    for crd in sorted((ROOT / "crds").glob("*.yaml")):
        # Uninstalling the chart must not delete every definition of the platform.
        kept = crd.read_text().replace(
            "metadata:\n  name:", 'metadata:\n  annotations: {"helm.sh/resource-policy": keep}\n  name:', 1
        )
        (folder / crd.name).write_text(kept)


def generated() -> list[Path]:
    """Folders that `make gen` fills."""
    return [BASE / "envoy", BASE / "serve", TEMPLATES, FILES, CHARTS / "voyager-llm-crds" / "templates"]
