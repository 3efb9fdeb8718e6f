"""Where no KubeRay runs, the controller speaks to Serve's own REST API of a real Ray cluster."""

from __future__ import annotations

import asyncio
from pathlib import Path

import httpx
import pytest

from controller.publish import PublishError, ServeRestPublisher
from controller.serve_config import user_config_in, with_definitions
from scripts.fake_provider.running import FakeProvider
from scripts.kubernetes.ray_cluster import ray_cluster
from voyager_llm.definitions.bundle import Published, bundle_of, pack, unpack
from voyager_llm.domain.definition import Kind
from voyager_llm.report import Report


async def test_from_the_rest_api_to_a_completion(tmp_path: Path, provider: FakeProvider) -> None:
    """Publish, read back what runs, publish a change: the replicas take it in place."""
    with ray_cluster(
        tmp_path, {"VOYAGER_DATA_DIR": str(tmp_path / "data"), "VOYAGER_FAST_DRAIN": "1"}
    ) as ray:
        publisher = ServeRestPublisher(ray.dashboard, str(tmp_path / "ray-token"))
        assert not (await publisher.read()).text
        for max_tokens in (7, 8):
            document = {
                "name": "m", "provider": "custom", "model_name": "fake",
                "parameters": {"max_tokens": max_tokens, "extra": {}, "stop": []},
                "endpoints": {"primary": provider.profile("rest")},
            }  # fmt: skip
            bundle = bundle_of([Published(Kind.MODEL, "m", document, "git")])
            await publisher.publish(with_definitions(ray.serve_config(), pack(bundle)))
            await _until_held(ray.url, bundle.digest)
            body = {"model": "m", "messages": [{"role": "user", "content": "hello"}]}
            async with httpx.AsyncClient(base_url=ray.url, timeout=30) as client:
                assert (await client.post("/v1/chat/completions", json=body)).status_code == 200
            assert provider.seen("rest")["last_body"]["max_tokens"] == max_tokens
            # Another controller finds the same definitions published.
            fresh = ServeRestPublisher(ray.dashboard, str(tmp_path / "ray-token"))
            target = await fresh.read()
            assert target.running
            assert unpack(user_config_in(target.text) or {}) == bundle
            await fresh.close()
        await publisher.close()


async def _until_held(url: str, digest: str) -> None:
    async with httpx.AsyncClient(base_url=url, timeout=5) as client:
        for _ in range(600):
            try:
                report = Report.model_validate_json((await client.get("/statusz")).content)
                if {replica.published for replica in report.replicas} == {digest}:
                    return
            except (httpx.HTTPError, ValueError):
                pass
            await asyncio.sleep(0.1)
    raise AssertionError("no replica ever held it")


async def test_a_wrong_token_and_a_dead_cluster_are_told(tmp_path: Path) -> None:
    publisher = ServeRestPublisher("http://127.0.0.1:9", "")
    with pytest.raises(PublishError, match="cannot be reached"):
        await publisher.read()
    missing = ServeRestPublisher("http://127.0.0.1:9", str(tmp_path / "none"))
    with pytest.raises(PublishError, match="cannot be reached"):
        await missing.publish("{}")
    for opened in (publisher, missing):
        await opened.close()
