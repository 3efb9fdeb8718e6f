"""`voyager-llm-controller`: the process. kopf watches the cluster and wakes the reconciler, nothing else.

What an event says is not believed: after a broken watch kopf's view may hold what is long deleted. Handlers
of events alone write no annotation and no finalizer. The only module that knows kopf.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import sys
from typing import Any

import kopf
from pydantic import ValidationError

from controller.dataplane import DataPlane
from controller.leases import Leadership
from controller.publish import Publisher, RayServicePublisher, ServeRestPublisher
from controller.reconciler import Reconciler
from controller.serve_config import ConfigError, load_base
from voyager_llm.definitions.crd.resources import GROUP, RESOURCES, VERSION
from voyager_llm.definitions.kube.client import KubeError, connect
from voyager_llm.settings import ControllerSettings

log = logging.getLogger(__name__)


class Waker:
    """Wakes the reconciler for events that matter: a status of ours is no news."""

    def __init__(self, reconciler: Reconciler) -> None:
        self._reconciler = reconciler
        self._seen: dict[str, tuple[Any, ...]] = {}

    def changed(self, event: Any) -> None:
        """An event of one of our kinds."""
        metadata = event["object"]["metadata"]
        uid = metadata["uid"]
        if event["type"] == "DELETED":
            self._seen.pop(uid, None)
            self._reconciler.wake()
            return
        annotations = metadata.get("annotations") or {}
        state = (
            metadata.get("generation"),
            metadata.get("deletionTimestamp"),
            tuple(sorted(annotations.items())),
        )
        if self._seen.get(uid) != state:
            self._seen[uid] = state
            self._reconciler.wake()


def registry(waker: Waker, config: ControllerSettings) -> kopf.OperatorRegistry:
    """Handlers for our kinds, and for the RayService that is written."""
    handlers = kopf.OperatorRegistry()

    @kopf.on.startup(registry=handlers)
    async def configure(settings: kopf.OperatorSettings, **_: Any) -> None:
        settings.posting.enabled = False
        settings.watching.server_timeout = 300
        settings.watching.client_timeout = 330
        settings.networking.request_timeout = 30
        settings.scanning.disabled = True

    @kopf.on.login(registry=handlers)
    def login(**kwargs: Any) -> kopf.ConnectionInfo | None:
        if config.kubeconfig:
            return kopf.login_with_kubeconfig(**kwargs)
        return kopf.login_with_service_account(**kwargs)

    for resource in RESOURCES:

        @kopf.on.event(GROUP, VERSION, resource.plural, registry=handlers, id=resource.plural)
        async def changed(event: Any, **_: Any) -> None:
            waker.changed(event)

    if not config.serve_url:

        @kopf.on.event("ray.io", "v1", "rayservices", registry=handlers, id="rayservices")
        async def served(event: Any, **_: Any) -> None:
            if event["object"]["metadata"]["name"] == config.rayservice:
                waker.changed(event)

    return handlers


async def operate(config: ControllerSettings, stop: asyncio.Event | None = None) -> None:
    """Run until ``stop`` is set or a signal comes. Raises `KubeError` and `ConfigError` at the start."""
    base = load_base(config.serve_config)
    api = connect(config.namespace, config.kubeconfig)
    publisher: Publisher = (
        ServeRestPublisher(config.serve_url, config.serve_token_file)
        if config.serve_url
        else RayServicePublisher(api, config.rayservice)
    )
    dataplane = DataPlane(config.dataplane_url, config.client_key_file)
    leadership = Leadership(api, config.lease, config.identity)
    reconciler = Reconciler(api, publisher, dataplane, base, leadership)
    work = [asyncio.create_task(leadership.run()), asyncio.create_task(reconciler.run())]
    try:
        await kopf.operator(
            registry=registry(Waker(reconciler), config),
            namespaces=[config.namespace],
            standalone=True,  # whoever leads is said by the lease, not by kopf's peering
            stop_flag=stop,
            liveness_endpoint=f"http://0.0.0.0:{config.health_port}/healthz" if config.health_port else None,
        )
    finally:
        for task in work:
            task.cancel()
        await asyncio.gather(*work, return_exceptions=True)
        with contextlib.suppress(KubeError):
            await leadership.release()
        await publisher.close()
        await dataplane.close()
        await api.close()


def main() -> None:
    """Entry point of the process."""
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    logging.getLogger("controller").setLevel(logging.INFO)
    try:
        asyncio.run(operate(ControllerSettings()))  # pyright: ignore[reportCallIssue]
    except (ConfigError, KubeError, ValidationError) as error:
        sys.exit(f"voyager-llm-controller: {error}")


if __name__ == "__main__":
    main()
