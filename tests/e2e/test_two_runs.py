"""Two runs on one machine do not meet: clusters, ports and definitions are each one's own."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

from scripts.fake_provider.running import FakeProvider
from tests.support.running import RunningService


def test_two_runs_side_by_side(provider: FakeProvider, tmp_path: Path) -> None:
    folders = [tmp_path / "one", tmp_path / "two"]
    for folder in folders:
        folder.mkdir()
    with ExitStack() as stack, ThreadPoolExecutor() as pool:
        one, two = pool.map(lambda folder: RunningService(folder, topology="fused"), folders)
        stack.callback(one.stop)
        stack.callback(two.stop)
        one.model("mine", provider.profile("mine"))
        body = {"model": "mine", "messages": [{"role": "user", "content": "hello"}]}
        for _ in range(10):
            assert one.http.post("/v1/chat/completions", json=body).status_code == 200
            assert two.http.post("/v1/chat/completions", json=body).status_code == 404
        two.model("mine", provider.profile("theirs"))
        assert two.http.post("/v1/chat/completions", json=body).status_code == 200
        assert provider.seen("theirs")["requests"] == 1
