"""What a router replica reports of itself: the configuration it holds, and how its models fare.

`GET /statusz` shows every replica's; the controller makes statuses of them (`controller/status.py`).
"""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

from voyager_llm.domain.health import Phase


class ModelReport(BaseModel):
    """One model as one replica sees it. Times are seconds since the epoch, 0 where there is none."""

    model_config = ConfigDict(frozen=True)

    phase: Phase
    # Percentage of recent attempts that succeeded.
    availability: float | None = None
    latency_ms: float | None = None
    last_seen: float = 0.0
    message: str = ""
    # Of the file that holds the model's key.
    key_written: float = 0.0
    key_missing: bool = False


class ReplicaReport(BaseModel):
    """One replica."""

    model_config = ConfigDict(frozen=True)

    replica: str
    version: int
    # Digest of the bundle that the cluster published and this replica holds; empty: none yet.
    published: str = ""
    models: dict[str, ModelReport] = {}
    # Completions by prompt since the replica started.
    prompts: dict[str, int] = {}


class Report(BaseModel):
    """All replicas, and what concerns them all."""

    model_config = ConfigDict(frozen=True)

    replicas: tuple[ReplicaReport, ...] = ()
    # Stored definitions that cannot be used and are left out, each with the reason.
    unreadable: tuple[str, ...] = ()
    # Why what a cluster published last is not taken over; empty: it is, or will be in a moment.
    publication: str = ""
    # Why ``replicas`` are not all of them; empty: they are.
    incomplete: str = ""
