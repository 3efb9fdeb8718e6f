"""What a controller published, as the data plane would read it."""

from __future__ import annotations

from controller.serve_config import user_config_in
from scripts.kubernetes.platform import RAY_SERVICES
from voyager_llm.definitions.bundle import Bundle, unpack
from voyager_llm.definitions.kube.client import KubeApi
from voyager_llm.definitions.kube.published import PublishedReader
from voyager_llm.definitions.shards import INDEX


async def published(api: KubeApi) -> Bundle:
    """What the RayService points to or holds; empty before anything is published."""
    service = await api.get(RAY_SERVICES, "voyager")
    config = user_config_in(service["spec"].get("serveConfigV2") or "")
    if not config:
        return Bundle()
    return await PublishedReader(api).read(config) if INDEX in config else unpack(config)
