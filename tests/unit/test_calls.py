"""The body that an endpoint is sent: the client's own bytes where it speaks the client's protocol."""

from __future__ import annotations

from typing import Any

import orjson

from deployments.ingress.asgi import HttpRequest
from deployments.ingress.openai.decode import decode
from deployments.request.calls import maker
from deployments.request.routing import Option
from tests.support.calls import model
from voyager_llm.domain.completion import Call, CompletionRequest, Original
from voyager_llm.domain.health import EndpointHealth
from voyager_llm.domain.operation import Operation
from voyager_llm.settings import Settings
from voyager_llm.snapshot import CompiledModel

MESSAGES = b'[ {"role": "user", "content": "h\\u00e9llo"} ]'


def sent(request: CompletionRequest, of: CompiledModel, operation: Operation = Operation.CHAT) -> Call:
    option = Option(of, of.endpoints[0], operation, EndpointHealth())
    return maker(request, Settings())(option, 10.0)


def of(provider: str = "openai", **parameters: Any) -> CompiledModel:
    return model("mine", provider, "theirs", "http://127.0.0.1:1/v1", parameters=parameters)


def asked(body: bytes) -> CompletionRequest:
    return decode(HttpRequest("POST", "/v1/chat/completions", "", {}, body), Operation.CHAT)


def test_a_body_goes_out_as_it_was_written() -> None:
    body = b'{ "messages": ' + MESSAGES + b', "temperature": 0.10, "model": "mine" }'
    assert sent(asked(body), of()).body == body.replace(b"mine", b"theirs")


def test_what_the_definition_adds_stands_at_the_end() -> None:
    body = b'{"model": "mine", "messages": ' + MESSAGES + b', "temperature": 1}'
    written = sent(asked(body), of(temperature=0.5, max_tokens=100)).body
    assert written == body.replace(b"mine", b"theirs")[:-1] + b',"max_tokens":100}'


def test_a_stream_tells_its_usage_whether_the_client_asks_or_not() -> None:
    head = b'{"model": "mine", "stream": true, "messages": ' + MESSAGES
    written = sent(asked(head + b"}"), of()).body
    assert written == head.replace(b"mine", b"theirs") + b',"stream_options":{"include_usage":true}}'
    wanted = head + b', "stream_options": {"include_usage": true}}'
    assert sent(asked(wanted), of()).body == wanted.replace(b"mine", b"theirs")
    other = orjson.loads(sent(asked(head + b', "stream_options": {"include_usage": false}}'), of()).body)
    assert (other["stream"], other["stream_options"]) == (True, {"include_usage": True})


def test_what_cannot_be_spliced_says_the_same() -> None:
    body = b'{"model": "mine", "user": "model", "stream": true, "messages": ' + MESSAGES + b"}"
    written = orjson.loads(sent(asked(body), of(seed=1)).body)
    assert written == {
        **orjson.loads(body), "model": "theirs", "seed": 1, "stream_options": {"include_usage": True},
    }  # fmt: skip


def test_a_path_that_names_the_model_leaves_the_body_without_one() -> None:
    body = b'{"metadata": {"model": "inner"}, "messages": ' + MESSAGES + b"}"
    request = decode(HttpRequest("POST", "/", "", {}, body), Operation.CHAT, "mine")
    assert orjson.loads(sent(request, of()).body) == {**orjson.loads(body), "model": "theirs"}


def test_older_and_newer_limits_of_tokens_are_one_thing() -> None:
    body = b'{"model": "mine", "max_completion_tokens": 7, "messages": ' + MESSAGES + b"}"
    assert "max_tokens" not in orjson.loads(sent(asked(body), of(max_tokens=100)).body)


def test_who_does_not_speak_the_clients_api_is_asked_for_a_chat() -> None:
    chat = {"messages": [{"role": "user", "content": "hi"}], "max_tokens": 5}
    own = b'{"model": "mine", "max_tokens": 5, "messages": [{"role": "user", "content": "hi"}]}'
    original = Original(Operation.MESSAGES, own, orjson.loads(own), (("anthropic-beta", "x"),))
    request = CompletionRequest(Operation.CHAT, "mine", chat, original=original)
    forwarded = sent(request, of("anthropic"), Operation.MESSAGES)
    assert (forwarded.body, forwarded.headers) == (own.replace(b"mine", b"theirs"), original.headers)
    translated = sent(request, of())
    assert orjson.loads(translated.body) == {**chat, "model": "theirs"}
    assert translated.headers == ()
