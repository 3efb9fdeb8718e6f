"""The fake provider's server: `python -m scripts.fake_provider.server PORT`."""

from __future__ import annotations

import asyncio
import sys
from dataclasses import asdict, replace
from functools import lru_cache
from typing import Any

import orjson
import uvicorn

from scripts.fake_provider.formats import Format, OpenAI, format_of, wants_stream
from scripts.fake_provider.further import Asked, answer, is_further
from scripts.fake_provider.profiles import Profile, Record
from scripts.fake_provider.untidy import UNTIDY

RECORDS: dict[str, Record] = {}
_FOREVER = 3600.0


async def app(scope: Any, receive: Any, send: Any) -> None:
    if scope["type"] != "http":
        return
    path: str = scope["path"]
    body = await _body(receive)
    if path.startswith("/_profiles/"):
        await _control(scope["method"], path.removeprefix("/_profiles/"), body, send)
        return
    name = path.split("/", 2)[1]
    record = RECORDS.setdefault(name, Record())
    headers = {k.decode(): v.decode("latin-1") for k, v in scope["headers"]}
    if scope["method"] == "GET" and not is_further(path):
        status = record.profile.status if record.profile.status >= 500 else 200
        refused = _key_is_refused(record.profile, headers)
        await _send(send, 401 if refused else status, b'{"object":"list","data":[]}')
        return
    record.requests += 1
    record.ongoing += 1
    record.most_ongoing = max(record.most_ongoing, record.ongoing)
    record.last_path = path
    record.last_body = body
    record.last_headers = headers
    watcher = asyncio.ensure_future(receive())
    try:
        query, kind = scope["query_string"].decode(), headers.get("content-type", "")
        asked = Asked(scope["method"], path, query, body, kind)
        answering = asyncio.ensure_future(_answer(record, asked, send))
        await asyncio.wait([answering, watcher], return_when=asyncio.FIRST_COMPLETED)
        if answering.done():
            answering.result()
            record.completed += 1
        else:
            answering.cancel()
            record.aborted += 1
    finally:
        record.ongoing -= 1
        watcher.cancel()


async def fast_app(scope: Any, receive: Any, send: Any) -> None:
    """Only ordinary answers, at once: the upstream of benchmarks."""
    if scope["type"] != "http":
        return
    body = await _body(receive)
    document = orjson.loads(body) if body else {}
    spoken = format_of(scope["path"])
    if spoken is None:
        await _send(send, 200, b'{"object":"list","data":[]}')
    elif wants_stream(scope["path"], document):
        await _stream(
            spoken, RECORDS.setdefault(scope["path"].split("/", 2)[1], Record()).profile, document, send
        )
    else:
        await _send(send, 200, _whole(spoken, document.get("model", "fake")))


@lru_cache(maxsize=65536)
def _whole(spoken: Format, model: str) -> bytes:
    return orjson.dumps(spoken.answer(Profile(), {"model": model}))


async def _answer(record: Record, asked: Asked, send: Any) -> None:
    profile, path, raw = record.profile, asked.path, asked.body
    if profile.latency_s:
        await asyncio.sleep(profile.latency_s)
    if profile.hang:
        await asyncio.sleep(_FOREVER)
    if profile.redirect_to:
        await _send(send, profile.redirect_status, b"", [(b"location", profile.redirect_to.encode())])
        return
    if profile.raw:
        await _send(send, profile.status or 200, profile.raw.encode(), kind=profile.raw_type)
        return
    beside_text = is_further(path) and not profile.lacks
    spoken = OpenAI if beside_text else format_of(path)
    if spoken is None:
        await _send(send, 404, b'{"error":{"message":"no such path"}}')
        return
    document = {} if beside_text else orjson.loads(raw)
    if profile.error_in_body:
        await _send(send, 200, orjson.dumps(spoken.error(profile)))
    elif status := _refusal(record, raw):
        headers = [(b"retry-after", profile.retry_after.encode())] if profile.retry_after else []
        told = profile.error_raw.encode() or orjson.dumps(spoken.error(profile))
        await _send(send, status, told, headers)
    elif beside_text:
        await answer(profile, asked, send)
    elif wants_stream(path, document):
        await _stream(spoken, profile, document, send)
    else:
        await _send(send, 200, orjson.dumps(spoken.answer(profile, document)))


def _key_is_refused(profile: Profile, headers: dict[str, str]) -> bool:
    return bool(profile.keys) and not any(key in value for key in profile.keys for value in headers.values())


def _refusal(record: Record, raw: bytes) -> int:
    """The status with which the profile refuses a request; 0: it does not."""
    profile = record.profile
    if _key_is_refused(profile, record.last_headers):
        return profile.key_status
    if profile.refuse_text and profile.refuse_text.encode() in raw:
        return 400
    fails = profile.status and (not profile.fail_first or record.requests <= profile.fail_first)
    return profile.status if fails else 0


async def _stream(spoken: Format, profile: Profile, document: Any, send: Any) -> None:
    kind = profile.stream_type or spoken.stream_type
    headers = [] if kind == "none" else [(b"content-type", kind.encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    if profile.untidy:
        written = UNTIDY[profile.untidy](b"".join(spoken.events(profile, document)))
        await send({"type": "http.response.body", "body": written})
        return
    for i, event in enumerate(spoken.events(profile, document)):
        if profile.truncate_after and i >= profile.truncate_after:
            break
        if profile.hang_after and i >= profile.hang_after:
            await asyncio.sleep(_FOREVER)
        if profile.malformed_after and i == profile.malformed_after:
            await send({"type": "http.response.body", "body": b'data: {"choices": [{\n\n', "more_body": True})
            continue
        if profile.error_after and i == profile.error_after:
            await send({"type": "http.response.body", "more_body": True,
                        "body": b"data: " + orjson.dumps(spoken.error(profile)) + b"\n\n"})  # fmt: skip
            break
        await send({"type": "http.response.body", "body": event, "more_body": True})
        if profile.token_delay_s:
            await asyncio.sleep(profile.token_delay_s)
    await send({"type": "http.response.body", "body": b""})


async def _control(method: str, name: str, body: bytes, send: Any) -> None:
    if method == "PUT":
        profile = replace(Profile(), **orjson.loads(body or b"{}"))
        RECORDS[name] = Record(profile=profile)
    record = asdict(RECORDS.setdefault(name, Record()))
    record["last_body"] = _readable(record["last_body"])
    await _send(send, 200, orjson.dumps(record))


def _readable(body: Any) -> Any:
    try:
        return orjson.loads(body) if body else None
    except orjson.JSONDecodeError:
        return repr(body)


async def _body(receive: Any) -> bytes:
    pieces: list[bytes] = []
    while True:
        message = await receive()
        pieces.append(message.get("body", b""))
        if not message.get("more_body"):
            return b"".join(pieces)


async def _send(
    send: Any, status: int, body: bytes, headers: list[Any] | None = None, kind: str = "application/json"
) -> None:
    lines = [(b"content-type", kind.encode()), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": lines + (headers or [])})
    await send({"type": "http.response.body", "body": body})


if __name__ == "__main__":
    uvicorn.run(
        fast_app if "--fast" in sys.argv else app,
        host="127.0.0.1",
        port=int(sys.argv[1]),
        log_level="warning",
        access_log=False,
        loop="uvloop",
        http="httptools",
        timeout_keep_alive=600,
    )
