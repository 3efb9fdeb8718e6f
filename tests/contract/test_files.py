"""Files and batches of a provider's account, by OpenAI's own SDK."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterable
from pathlib import Path
from typing import Any

import httpx
import openai
import pytest
from openai import AsyncOpenAI

from scripts.fake_provider.running import FakeProvider
from tests.support.service import LocalService, start
from voyager_llm.domain.resource_ids import Owned

# 1,000 tokens of input at 2.5e-6 and 100 of output at 1e-5, half of it.
COST = (1000 * 1.25e-6) + (100 * 5e-6)


def sdk(local: LocalService) -> AsyncOpenAI:
    transport = httpx.ASGITransport(local.ingress)  # pyright: ignore[reportArgumentType]
    http = httpx.AsyncClient(transport=transport, base_url="http://service")
    return AsyncOpenAI(api_key="x", base_url="http://service/v1", http_client=http, max_retries=0)


@pytest.fixture
async def client(local: LocalService) -> AsyncIterator[AsyncOpenAI]:
    async with sdk(local) as running:
        yield running


def line(model: str = "m", **body: Any) -> dict[str, Any]:
    asked = {"model": model, "messages": [{"role": "user", "content": "hi"}], **body}
    return {"custom_id": "1", "method": "POST", "url": "/v1/chat/completions", "body": asked}


def lines(*requests: Any) -> tuple[str, bytes]:
    return "in.jsonl", "\n".join(json.dumps(request) for request in requests).encode()


def charged(services: Iterable[LocalService]) -> float:
    told = "\n".join(service.replica.meter.text().decode() for service in services).splitlines()
    return sum(float(line.rpartition(" ")[2]) for line in told if line.startswith("voyager_cost_total"))


async def uploaded(client: AsyncOpenAI, file: tuple[str, bytes], model: str = "m") -> str:
    return (await client.files.create(file=file, purpose="batch", extra_body={"model": model})).id


async def batch_of(client: AsyncOpenAI, file: str) -> openai.types.Batch:
    return await client.batches.create(
        input_file_id=file, endpoint="/v1/chat/completions", completion_window="24h"
    )


async def test_a_file_from_upload_to_deletion(
    local: LocalService, provider: FakeProvider, client: AsyncOpenAI
) -> None:
    await local.model("m", provider.profile("of-files"))
    content = b"\x00\r\n--x\r\n" * 1000
    made = await client.files.create(
        file=('../../etc/pa"ss.txt', content), purpose="user_data", extra_body={"target_model_names": "m"}
    )
    assert made.filename == "pa_22ss.txt"
    assert made.bytes == len(content)
    assert (await client.files.retrieve(made.id)).id == made.id
    second = await client.files.create(file=("b.txt", b"b"), purpose="user_data", extra_body={"model": "m"})
    listed = [file.id async for file in client.files.list(limit=1, extra_query={"model": "m"})]
    assert listed == [made.id, second.id]
    assert (await client.files.content(made.id)).content == content
    assert (await client.files.delete(made.id)).deleted
    with pytest.raises(openai.NotFoundError):
        await client.files.retrieve(made.id)
    assert (await local.chat("m")).status_code == 200


async def test_a_batch_is_accounted_for_once_however_often_and_wherever_it_is_read(
    tmp_path: Path, provider: FakeProvider
) -> None:
    one = await start(tmp_path)
    await one.model("m", provider.profile("of-batches", polls=1), provider="openai", model_name="gpt-4o")
    other = await start(tmp_path)
    async with sdk(one) as here, sdk(other) as there:
        batch = await batch_of(here, await uploaded(here, lines(line(), line())))
        assert (await there.batches.retrieve(batch.id)).status == "in_progress"
        assert charged((one, other)) == 0
        first = await there.batches.with_raw_response.retrieve(batch.id)
        ended = first.parse()
        assert ended.status == "completed"
        assert float(first.headers["x-voyager-cost"]) == pytest.approx(COST)
        for client in (here, there, here):
            again = await client.batches.with_raw_response.retrieve(batch.id)
            assert float(again.headers["x-voyager-cost"]) == 0
        assert charged((one, other)) == pytest.approx(COST)
        assert [found.id async for found in here.batches.list(extra_query={"model": "m"})] == [batch.id]
        assert ended.output_file_id is not None
        output = (await here.files.content(ended.output_file_id)).text
        assert [json.loads(row)["body"]["model"] for row in output.splitlines()] == ["gpt-4o", "gpt-4o"]
    await one.close()
    await other.close()


async def test_a_batch_without_a_place_to_settle_it_is_not_told(
    tmp_path: Path, local: LocalService, provider: FakeProvider, client: AsyncOpenAI
) -> None:
    """What cannot be accounted for now is polled again."""
    await local.model("m", provider.profile("unsettled"))
    batch = await batch_of(client, await uploaded(client, lines(line())))
    (tmp_path / "voyager.db").rename(tmp_path / "away.db")
    with pytest.raises(openai.APIStatusError) as refused:
        await client.batches.retrieve(batch.id)
    assert refused.value.status_code == 503
    assert charged((local,)) == 0
    (tmp_path / "away.db").rename(tmp_path / "voyager.db")
    assert (await client.batches.retrieve(batch.id)).status == "completed"


async def test_a_batch_is_created_once_and_can_be_cancelled(
    local: LocalService, provider: FakeProvider, client: AsyncOpenAI
) -> None:
    base = provider.profile("create")
    await local.model("m", base)
    file = await uploaded(client, lines(line()))
    batch = await batch_of(client, file)
    assert batch.input_file_id == file
    assert (await client.batches.cancel(batch.id)).status == "cancelling"
    assert (await client.batches.retrieve(batch.id)).status == "cancelled"
    provider.profile("create", status=503)
    with pytest.raises(openai.InternalServerError):
        await batch_of(client, file)
    assert provider.seen("create")["requests"] == 1, "a second one might be paid for as well"


async def test_an_upload_may_go_to_the_backup_and_stays_there(
    local: LocalService, provider: FakeProvider, client: AsyncOpenAI
) -> None:
    await local.model(
        "m", provider.profile("up-down", status=503), endpoints={"backup": provider.profile("up-backup")}
    )
    file = await uploaded(client, lines(line()))
    provider.profile("up-down")
    assert (await client.files.retrieve(file)).id == file
    assert provider.seen("up-down")["requests"] == 0


WRONG_LINES = [
    (b"{", "line 1"),
    (lines(line(), line("other"))[1], "line 2: body.model"),
    (lines({**line(), "url": "/v1/files"})[1], "line 1: url"),
    (lines({**line(), "more": 1})[1], "line 1"),
    (lines(line(api_base="http://canary"))[1], "line 1: api_base"),
    (lines(line(temperature=7))[1], "line 1: temperature"),
    (b"\n\n", "holds no request"),
]


@pytest.mark.parametrize(("content", "said"), WRONG_LINES, ids=lambda value: str(value)[:30])
async def test_a_wrong_line_is_refused_by_its_number(
    local: LocalService, provider: FakeProvider, client: AsyncOpenAI, content: bytes, said: str
) -> None:
    await local.model("m", provider.profile("lines"))
    with pytest.raises(openai.BadRequestError) as refused:
        await uploaded(client, ("in.jsonl", content))
    assert refused.value.param == "file"
    assert said in refused.value.message
    assert provider.seen("lines")["requests"] == 0


async def test_what_names_no_account_is_refused(
    local: LocalService, provider: FakeProvider, client: AsyncOpenAI
) -> None:
    await local.model("m", provider.profile("account"))
    await local.route("r", "m")
    for model in ("r", ""):
        with pytest.raises(openai.BadRequestError):
            await client.files.create(file=("a", b"a"), purpose="x", extra_body={"model": model})  # pyright: ignore[reportArgumentType]
    for path in ("file-abc", "file-../../x", "batch_x", "file-bQouLi94"):  # the last is "m\n../x"
        assert (await local.http.get(f"/v1/files/{path}")).status_code == 404
    gone = await local.http.get(f"/v1/files/{Owned('m#backup', 'file-1').shown('file-')}")
    assert (gone.status_code, gone.json()["error"]["param"]) == (404, "id")
    assert (await local.http.get("/v1/batches")).status_code == 400
    assert (await local.http.get("/v1/files?model=m&api_key=x")).status_code == 400
    assert provider.seen("account")["requests"] == 0
