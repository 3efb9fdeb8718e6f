"""Secrets over several places, the first place first; a value is kept until a provider refuses it.

Values stand in no log, error or repr. Used by the caller stage, by the check of the clients' key, and by the
report of which keys can be read.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

from voyager_llm.domain.model import SecretRef
from voyager_llm.errors import UpstreamMisconfigured, VoyagerError

# How old a place's answer may be: for a call, which a rotated key would fail, and for a status.
_CALL_AGE_S = 1.0
_STATUS_AGE_S = 30.0


@dataclass(frozen=True, slots=True)
class Secret:
    """A secret as a place has it. ``written``: seconds since the epoch; 0 where the place does not know."""

    value: str = field(repr=False)
    written: float = 0.0


class SecretPlace(Protocol):
    """Somewhere that secrets are kept."""

    async def read(self, reference: SecretRef, max_age_s: float) -> Secret | None:
        """None: it is not here. A place that is slow to ask may answer with what it knew ``max_age_s``
        ago. Raises `UpstreamUnavailable` when it cannot be asked."""
        ...


class Secrets:
    """`SecretSource` over ``places``."""

    def __init__(self, *places: SecretPlace) -> None:
        self._places = places
        self._kept: dict[SecretRef, str] = {}

    async def get(self, reference: SecretRef) -> str:
        kept = self._kept.get(reference)
        return kept if kept is not None else await self._keep(reference)

    async def newer(self, reference: SecretRef, used: str) -> str | None:
        kept = self._kept.get(reference, used)
        if kept != used:
            return kept  # another call has found out already
        try:
            value = await self._keep(reference)
        except VoyagerError:
            return None
        return value if value != used else None

    async def written(self, reference: SecretRef) -> float | None:
        """When the secret was written, as `Secret.written`; None: it cannot be read."""
        try:
            return (await self._find(reference, _STATUS_AGE_S)).written
        except VoyagerError:
            return None

    async def _keep(self, reference: SecretRef) -> str:
        value = (await self._find(reference, _CALL_AGE_S)).value
        self._kept[reference] = value
        return value

    async def _find(self, reference: SecretRef, max_age_s: float) -> Secret:
        where = f"secret {reference.name}, key {reference.key}"
        for place in self._places:
            found = await place.read(reference, max_age_s)
            if found is None or not found.value:
                continue
            # A line break would end the header and start another one.
            if not found.value.isascii() or not found.value.isprintable():
                raise UpstreamMisconfigured(f"{where}: holds characters that no header may carry")
            return found
        raise UpstreamMisconfigured(
            f"{where}: not found; mount it, let the service's role read it, or set it in the environment"
        )
