"""Ids of what an account at a provider holds: files and batches. They say where it is, so nobody keeps it.

An id names the endpoint (`Endpoint.key`) whose account holds the thing, and the provider's own id. It is no
secret: who may name the model may see what its account holds. Used by `deployments/ingress/openai/files.py`.
"""

from __future__ import annotations

import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass

from voyager_llm.errors import NotFound, UpstreamInvalid

FILE, BATCH = "file-", "batch_"
# As all providers write theirs. Nothing else becomes part of a path.
_OWN = re.compile(r"[A-Za-z0-9_-]{1,128}")
_MOST = 1024


@dataclass(frozen=True, slots=True)
class Owned:
    """``id`` in the account of ``endpoint``."""

    endpoint: str
    id: str

    @property
    def model(self) -> str:
        return self.endpoint.partition("#")[0]

    def shown(self, prefix: str) -> str:
        """The id that clients see. Raises `UpstreamInvalid` for one of the provider's that is none."""
        if _OWN.fullmatch(self.id) is None:
            raise UpstreamInvalid("the provider's answer holds an id that is none")
        return prefix + urlsafe_b64encode(f"{self.endpoint}\n{self.id}".encode()).decode().rstrip("=")


def read_id(prefix: str, shown: str, field: str) -> Owned:
    """What an id names. Raises `NotFound` for one that is none of ours."""
    text = shown.removeprefix(prefix)
    try:
        if text != shown and len(shown) <= _MOST:
            endpoint, _, own = urlsafe_b64decode(text + "=" * (-len(text) % 4)).decode().partition("\n")
            if endpoint and _OWN.fullmatch(own):
                return Owned(endpoint, own)
    except ValueError:
        pass
    raise NotFound(f"is no id that this service gave out; they begin with {prefix}", field)
