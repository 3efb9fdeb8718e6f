"""Where a process of the service looks for secrets: mounted files, then the cluster, then its environment."""

from __future__ import annotations

from pathlib import Path

from deployments.secrets.cluster import ClusterSecrets
from deployments.secrets.source import Secret, Secrets
from voyager_llm.definitions.kube.client import connect
from voyager_llm.domain.model import SecretRef
from voyager_llm.settings import Settings, environment_secret


def secrets_of(settings: Settings) -> Secrets:
    """The secrets of a process with these settings."""
    files, variables = MountedFiles(settings.secrets_dir), EnvironmentVariables()
    if not settings.namespace:
        return Secrets(files, variables)
    cluster = ClusterSecrets(lambda: connect(settings.namespace, settings.kubeconfig))
    return Secrets(files, cluster, variables)


class MountedFiles:
    """``DIR/NAME/KEY``: Kubernetes Secrets mounted as files. Cheap to read, so always read anew."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    async def read(self, reference: SecretRef, max_age_s: float) -> Secret | None:
        path = self._directory / reference.name / reference.key
        try:
            return Secret(path.read_text().strip(), path.stat().st_mtime)
        except (OSError, UnicodeDecodeError):
            return None


class EnvironmentVariables:
    """``VOYAGER_SECRET_NAME__KEY``."""

    async def read(self, reference: SecretRef, max_age_s: float) -> Secret | None:
        value = environment_secret(reference)
        return Secret(value.strip()) if value else None
