"""What is no text, as OpenAI and Cohere have it: moderations, rankings, pictures, sound, files, batches.

Shapes follow the providers' public API references. Used by `server.py`.
"""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import count
from typing import Any
from urllib.parse import parse_qs

import orjson

from scripts.fake_provider.profiles import Profile
from voyager_llm.domain.form import Part, read_form

_PATHS = (
    "/moderations", "/rerank", "/images/generations", "/images/edits", "/images/variations",
    "/audio/speech", "/audio/transcriptions", "/audio/translations",
)  # fmt: skip
SECONDS, SEARCH_UNITS = 12, 1
PICTURE = base64.b64encode(b"\x89PNG fake").decode()
PICTURE_USAGE = {
    "input_tokens": 9, "output_tokens": 100, "total_tokens": 109,
    "input_tokens_details": {"text_tokens": 9, "image_tokens": 0},
}  # fmt: skip
SPEECH_USAGE = {"input_tokens": 7, "output_tokens": 40, "total_tokens": 47}
HEARD_USAGE = {
    "type": "tokens", "input_tokens": 30, "output_tokens": 5, "total_tokens": 35,
    "input_token_details": {"audio_tokens": 28, "text_tokens": 2},
}  # fmt: skip
BATCH_USAGE = {"input_tokens": 1000, "output_tokens": 100, "total_tokens": 1100}
SOUND = bytes(range(256)) * 4
_NUMBERS = count(1)
_FOREVER = 3600.0


@dataclass(frozen=True)
class Asked:
    """One request."""

    method: str
    path: str
    query: str
    body: bytes
    content_type: str

    def form(self) -> dict[str, Part]:
        return {part.name: part for part in read_form(self.body, self.content_type)}

    def document(self) -> Any:
        return orjson.loads(self.body) if self.body else {}


@dataclass
class _Account:
    """What one profile's account holds."""

    files: dict[str, tuple[dict[str, Any], bytes]] = field(default_factory=dict)
    batches: dict[str, dict[str, Any]] = field(default_factory=dict)
    polls: dict[str, int] = field(default_factory=dict)


_ACCOUNTS: dict[str, _Account] = {}


def is_further(path: str) -> bool:
    return path.endswith(_PATHS) or _of_account(path) is not None


def _of_account(path: str) -> list[str] | None:
    steps = path.split("/")
    return next((steps[at:] for at, step in enumerate(steps) if step in ("files", "batches")), None)


async def answer(profile: Profile, asked: Asked, send: Any) -> None:
    if (steps := _of_account(asked.path)) is not None:
        account = _ACCOUNTS.setdefault(asked.path.split("/")[1], _Account())
        status, document = (_files if steps[0] == "files" else _batches)(profile, account, asked, steps)
        raw = document if isinstance(document, bytes) else orjson.dumps(document)
        kind = "application/octet-stream" if isinstance(document, bytes) else "application/json"
        await _send(send, raw, kind, status)
        return
    await _OPERATIONS[next(path for path in _PATHS if asked.path.endswith(path))](profile, asked, send)


async def _moderate(profile: Profile, asked: Asked, send: Any) -> None:
    given = asked.document()["input"]
    rows = given if isinstance(given, list) else [given]
    scores = {"category_scores": {"violence": 0.1}, "category_applied_input_types": {}}
    results = [
        {"flagged": "bad" in str(row), "categories": {"violence": "bad" in str(row)}, **scores}
        for row in rows
    ]
    document = {"id": "modr-fake", "model": asked.document()["model"], "results": results}
    await _send(send, orjson.dumps(document))


async def _rank(profile: Profile, asked: Asked, send: Any) -> None:
    document = asked.document()
    results = [{"index": i, "relevance_score": 1 / (i + 1)} for i in range(len(document["documents"]))]
    meta = {"api_version": {"version": "2"}, "billed_units": {"search_units": SEARCH_UNITS}}
    told = {} if profile.no_usage else {"meta": meta}
    await _send(send, orjson.dumps({"id": "rank-fake", "results": results[: document.get("top_n")], **told}))


async def _draw(profile: Profile, asked: Asked, send: Any) -> None:
    is_form = asked.content_type.startswith("multipart/")
    told = (
        {name: part.value.decode("latin-1") for name, part in asked.form().items()}
        if is_form
        else asked.document()
    )
    name = "image_edit" if asked.path.endswith("/edits") else "image_generation"
    if told.get("stream") in (True, "true"):
        partial = {"type": f"{name}.partial_image", "b64_json": PICTURE, "partial_image_index": 0}
        done = {"type": f"{name}.completed", "b64_json": PICTURE, "usage": PICTURE_USAGE}
        await _pieces(profile, send, "text/event-stream", (_event(event) for event in (partial, done)))
        return
    document: dict[str, Any] = {
        "created": 1700000000,
        "data": [{"b64_json": PICTURE}] * int(told.get("n") or 1),
    }
    if not profile.no_usage:
        document["usage"] = PICTURE_USAGE
    await _send(send, orjson.dumps(document))


async def _speak(profile: Profile, asked: Asked, send: Any) -> None:
    document = asked.document()
    if document.get("stream_format") == "sse":
        audio = base64.b64encode(SOUND).decode()
        deltas = [{"type": "speech.audio.delta", "audio": audio}] * profile.tokens
        events = [*deltas, {"type": "speech.audio.done", "usage": SPEECH_USAGE}]
        await _pieces(profile, send, "text/event-stream", map(_event, events))
        return
    kind = {"wav": "audio/wav", "opus": "audio/opus"}.get(document.get("response_format", ""), "audio/mpeg")
    await _pieces(profile, send, kind, iter([SOUND] * profile.tokens))


async def _hear(profile: Profile, asked: Asked, send: Any) -> None:
    told = {
        name: part.value.decode("latin-1") for name, part in asked.form().items() if part.filename is None
    }
    text = "Hello from the fake provider"
    shape = told.get("response_format", "json")
    if told.get("stream") == "true":
        deltas = [{"type": "transcript.text.delta", "delta": word + " "} for word in text.split()]
        events = [*deltas, {"type": "transcript.text.done", "text": text, "usage": HEARD_USAGE}]
        await _pieces(profile, send, "text/event-stream", map(_event, events))
    elif shape in ("text", "srt", "vtt"):
        cue = {"text": text, "srt": f"1\n00:00:00,000 --> 00:00:12,000\n{text}\n",
               "vtt": f"WEBVTT\n\n00:00:00.000 --> 00:00:12.000\n{text}\n"}[shape]  # fmt: skip
        await _send(send, cue.encode(), "text/plain; charset=utf-8")
    elif shape == "verbose_json":
        document = {
            "task": "transcribe",
            "language": "english",
            "duration": SECONDS - 0.5,
            "text": text,
            "segments": [],
        }
        await _send(send, orjson.dumps(document))
    else:
        usage = {"type": "duration", "seconds": SECONDS}
        await _send(send, orjson.dumps({"text": text, **({} if profile.no_usage else {"usage": usage})}))


def _files(profile: Profile, account: _Account, asked: Asked, steps: list[str]) -> tuple[int, Any]:
    match asked.method, steps:
        case "POST", [_]:
            form = asked.form()
            file = form["file"]
            document: dict[str, Any] = {
                "id": f"file-up{next(_NUMBERS)}", "object": "file", "bytes": len(file.value),
                "status": "processed", "created_at": 1700000000, "filename": file.filename,
                "purpose": form["purpose"].value.decode(),
            }  # fmt: skip
            account.files[document["id"]] = (document, file.value)
            return 200, document
        case "GET", [_]:
            return 200, _page([document for document, _ in account.files.values()], asked)
        case "GET", [_, name] if name in account.files:
            return 200, account.files[name][0]
        case "DELETE", [_, name] if name in account.files:
            del account.files[name]
            return 200, {"id": name, "object": "file", "deleted": True}
        case "GET", [_, name, "content"] if name in account.files:
            return 200, account.files[name][1]
        case _:
            return 404, {"error": {"message": "No such File object"}}


def _batches(profile: Profile, account: _Account, asked: Asked, steps: list[str]) -> tuple[int, Any]:
    match asked.method, steps:
        case "POST", [_]:
            given = asked.document()
            if given["input_file_id"] not in account.files:
                return 400, {"error": {"message": "no such file", "param": "input_file_id"}}
            batch: dict[str, Any] = {
                "id": f"batch_up{next(_NUMBERS)}", "object": "batch", "status": "validating",
                "created_at": 1700000000, "errors": None, "output_file_id": None, "error_file_id": None,
                **given,
            }  # fmt: skip
            account.batches[batch["id"]] = batch
            return 200, batch
        case "GET", [_]:
            return 200, _page(list(account.batches.values()), asked)
        case "GET", [_, name] if name in account.batches:
            return 200, _polled(profile, account, account.batches[name])
        case "POST", [_, name, "cancel"] if name in account.batches:
            account.batches[name]["status"] = "cancelling"
            return 200, account.batches[name]
        case _:
            return 404, {"error": {"message": "No such batch"}}


def _polled(profile: Profile, account: _Account, batch: dict[str, Any]) -> dict[str, Any]:
    name = batch["id"]
    account.polls[name] = account.polls.get(name, 0) + 1
    if batch["status"] == "cancelling":
        batch["status"] = "cancelled"
    elif (
        batch["status"] != "cancelled" and account.polls[name] > profile.polls and not batch["output_file_id"]
    ):
        lines = account.files[batch["input_file_id"]][1].splitlines()
        output = f"file-up{next(_NUMBERS)}"
        account.files[output] = (
            {"id": output, "object": "file", "purpose": "batch_output"},
            b"\n".join(lines),
        )
        batch.update(status="completed", output_file_id=output)
        if not profile.no_usage:
            batch["usage"] = BATCH_USAGE
    elif batch["status"] == "validating":
        batch["status"] = "in_progress"
    return batch


def _page(rows: list[dict[str, Any]], asked: Asked) -> dict[str, Any]:
    query = {name: values[0] for name, values in parse_qs(asked.query).items()}
    names = [row["id"] for row in rows]
    start = names.index(query["after"]) + 1 if query.get("after") in names else 0
    limit = int(query.get("limit", 20))
    shown = rows[start : start + limit]
    ends = {"first_id": shown[0]["id"], "last_id": shown[-1]["id"]} if shown else {}
    return {"object": "list", "data": shown, "has_more": start + limit < len(rows), **ends}


_OPERATIONS = {
    "/moderations": _moderate, "/rerank": _rank, "/images/generations": _draw, "/images/edits": _draw,
    "/images/variations": _draw, "/audio/speech": _speak, "/audio/transcriptions": _hear,
    "/audio/translations": _hear,
}  # fmt: skip


def _event(document: Any) -> bytes:
    return b"event: " + document["type"].encode() + b"\ndata: " + orjson.dumps(document) + b"\n\n"


async def _pieces(profile: Profile, send: Any, kind: str, pieces: Iterator[bytes]) -> None:
    headers = [(b"content-type", (profile.stream_type or kind).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    for i, piece in enumerate(pieces):
        if profile.truncate_after and i >= profile.truncate_after:
            return  # without an end: the connection is closed
        if profile.hang_after and i >= profile.hang_after:
            await asyncio.sleep(_FOREVER)
        await send({"type": "http.response.body", "body": piece, "more_body": True})
        if profile.token_delay_s:
            await asyncio.sleep(profile.token_delay_s)
    await send({"type": "http.response.body", "body": b""})


async def _send(send: Any, body: bytes, kind: str = "application/json", status: int = 200) -> None:
    lines = [(b"content-type", kind.encode()), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": lines})
    await send({"type": "http.response.body", "body": body})
