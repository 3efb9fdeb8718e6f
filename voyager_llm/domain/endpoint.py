"""An endpoint of a model, ready to be called.

Made by `definitions/compiler.py`, used by the snapshot, the request path and the lanes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from voyager_llm.domain.model import SecretRef
from voyager_llm.domain.operation import FURTHER, Operation
from voyager_llm.domain.providers import Lane


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One endpoint of one model, ready to be called: all that a caller replica needs to know.

    It travels with the request, by value, so that callers hold no configuration of their own.
    """

    model: str
    # Names the endpoint in health tables and metrics: "MODEL" or "MODEL#backup".
    key: str
    provider: str
    model_name: str
    lane: Lane
    # Empty: LiteLLM makes the provider's address out of a region (the full lane alone).
    base_url: str
    # Hosts that a call may reach; one that begins with a dot stands for all names under it.
    hosts: tuple[str, ...]
    auth_type: str
    secret: SecretRef | None
    # Request parameters that apply unless the request sets them.
    defaults: Mapping[str, Any]
    # What the provider's client is told of the call itself: names of regions and projects.
    settings: Mapping[str, str]
    # What it speaks besides what its lane stands for.
    apis: tuple[Operation, ...] = ()

    def speaks(self, operation: Operation) -> bool:
        """Whether a client's own words of this operation can be forwarded to it."""
        return operation in self.apis or (self.lane is Lane.WIRE and operation in _OPENAIS)


# What whoever speaks OpenAI's protocol understands.
_OPENAIS = frozenset({Operation.CHAT, Operation.TEXT, Operation.EMBEDDINGS, *FURTHER})
