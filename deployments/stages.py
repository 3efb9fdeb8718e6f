"""The renderer and the caller as a router replica has them: in its process, or in deployments of their own.

Those are reached directly (`hop/`), and over handles where that does not take a call. For `model_router.py`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import ray
from ray.serve.handle import DeploymentHandle

from deployments.hop.caller import DirectCaller
from deployments.hop.peers import Peers
from deployments.hop.renderer import DirectRenderer
from deployments.serving.handles import RemoteCaller, RemoteRenderer
from voyager_llm.ports import Caller, Renderer
from voyager_llm.settings import Settings


class Stages:
    """``caller`` and ``renderer`` are handles to deployments, or makers of the stage in this process."""

    caller: Caller
    renderer: Renderer

    def __init__(
        self,
        caller: DeploymentHandle[Any] | Callable[[Settings], Caller],
        renderer: DeploymentHandle[Any] | Callable[[], Renderer],
        config: Settings,
    ) -> None:
        # Raise when a stage elsewhere does not answer.
        self.pings: list[Callable[[], Awaitable[None]]] = []
        # Of the stages that are called directly.
        self.peers: list[Peers] = []
        if isinstance(caller, DeploymentHandle):
            calls = RemoteCaller(caller)
            self.pings.append(calls.ping)
            self.caller = DirectCaller(self._peers_of(caller, config), calls)
        else:
            self.caller = caller(config)
        if isinstance(renderer, DeploymentHandle):
            renders = RemoteRenderer(renderer)
            self.pings.append(renders.ping)
            self.renderer = DirectRenderer(self._peers_of(renderer, config), renders)
        else:
            self.renderer = renderer()

    def start(self) -> None:
        """Begin to connect to replicas; on the event loop that is to make the calls."""
        for peers in self.peers:
            peers.start()

    def _peers_of(self, handle: DeploymentHandle[Any], config: Settings) -> Peers:
        peers = Peers(handle.deployment_name, config, ray.get_runtime_context().get_node_id())
        self.peers.append(peers)
        return peers
