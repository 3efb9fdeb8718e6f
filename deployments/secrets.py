"""Secrets by reference: from mounted files, or from the environment. Used by the caller stage.

A value never leaves this process and stands in no log, error or repr.
"""

from __future__ import annotations

from pathlib import Path

from voyager_llm.domain.model import SecretRef
from voyager_llm.errors import UpstreamMisconfigured
from voyager_llm.settings import environment_secret


class MountedSecrets:
    """`SecretSource` over ``DIR/NAME/KEY`` (a Kubernetes Secret mounted as files), then the
    environment (``VOYAGER_SECRET_NAME__KEY``). Values are kept until `refresh`."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._values: dict[SecretRef, str] = {}

    def __repr__(self) -> str:
        return f"MountedSecrets({str(self._directory)!r})"

    def get(self, reference: SecretRef) -> str:
        value = self._values.get(reference)
        return value if value is not None else self._keep(reference)

    def refresh(self, reference: SecretRef, used: str) -> bool:
        return self._keep(reference) != used

    def has(self, reference: SecretRef) -> bool:
        """Whether the secret can be read now."""
        try:
            self._read(reference)
        except UpstreamMisconfigured:
            return False
        return True

    def written(self, reference: SecretRef) -> float:
        """When the mounted file was written, in seconds since the epoch; 0 when there is none."""
        try:
            return self._path(reference).stat().st_mtime
        except OSError:
            return 0.0

    def _path(self, reference: SecretRef) -> Path:
        return self._directory / reference.name / reference.key

    def _keep(self, reference: SecretRef) -> str:
        value = self._read(reference)
        self._values[reference] = value
        return value

    def _read(self, reference: SecretRef) -> str:
        where = f"secret {reference.name}, key {reference.key}"
        try:
            value: str | None = self._path(reference).read_text().strip()
        except (OSError, UnicodeDecodeError):
            value = environment_secret(reference)
        if not value:
            raise UpstreamMisconfigured(f"{where}: not found; mount it or set it in the environment")
        # A line break would end the header and start another one.
        if not value.isascii() or not value.isprintable():
            raise UpstreamMisconfigured(f"{where}: holds characters that no header may carry")
        return value
