"""Serve's request router of the stages that can be called directly: routes calls over the handle, and tells
`discovery.py` which replicas run. Named in `serve_app/app.py`.

Serve copies this class by value: see `discovery.py`.
"""

from __future__ import annotations

from ray.serve.request_router import FIFOMixin, PendingRequest, RequestRouter, RunningReplica

from deployments.hop import discovery


class AnnouncingRouter(FIFOMixin, RequestRouter):
    """Serve makes one in each process that calls the deployment."""

    def initialize_state(self, **kwargs: str) -> None:
        """``deployment``: its name. These are the ``request_router_kwargs``."""
        self._announced = kwargs["deployment"]

    def update_replicas(self, replicas: list[RunningReplica]) -> None:
        super().update_replicas(replicas)
        discovery.announce(
            self._announced, {replica.replica_id.unique_id: replica.replica_metadata for replica in replicas}
        )

    async def choose_replicas(
        self, candidate_replicas: list[RunningReplica], pending_request: PendingRequest | None = None
    ) -> list[list[RunningReplica]]:
        """Those with a place; of these Serve takes the one with the shortest queue."""
        return [self.select_available_replicas(candidate_replicas)]
