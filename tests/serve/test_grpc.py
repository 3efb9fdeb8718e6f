"""gRPC through HAProxy and Serve's own ingress."""

from __future__ import annotations

import json
import time
from typing import Any
from uuid import uuid4

import grpc
import pytest
from google.protobuf import field_mask_pb2, json_format
from google.rpc import error_details_pb2
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase
from grpc_status import rpc_status

from scripts.fake_provider.running import FakeProvider
from tests.support.running import RunningService
from voyager_llm.v1 import completions_pb2 as completions
from voyager_llm.v1 import models_pb2 as models
from voyager_llm.v1 import prompts_pb2 as prompts


def fresh(prefix: str) -> str:
    return f"{prefix}-{uuid4().hex[:8]}"


def test_a_models_life(stub: Any, provider: FakeProvider) -> None:
    name = fresh("grpc")
    request = models.CreateModelRequest(
        name=name,
        provider="custom",
        model_name="gpt-4",
        capabilities=["text_generation"],
        endpoints=models.Endpoints(primary=provider.profile(name)),
        cost=models.CostConfiguration(input_token_cost=0.00003, output_token_cost=0.00006),
    )
    created = stub.CreateModel(request, timeout=10)
    assert (created.name, created.status) == (name, "Pending")
    model = stub.GetModel(models.GetModelRequest(name=name), timeout=10).model
    assert (model.model_id, model.revision) == (created.model_id, 1)
    update = models.UpdateModelRequest(
        name=name,
        model=models.Model(version="v2"),
        update_mask=field_mask_pb2.FieldMask(paths=["version"]),
        etag=model.etag,
    )
    assert stub.UpdateModel(update, timeout=10).model.revision == 2
    assert name in [
        m.name for m in stub.ListModels(models.ListModelsRequest(page_size=1000), timeout=10).models
    ]
    answer = stub.GenerateCompletion(
        completions.GenerateCompletionRequest(
            model_name=name, prompt="hello", parameters={"temperature": "0.2"}, trace_id="trace-1"
        ),
        timeout=20,
    )
    assert answer.completion == "Hello from the fake provider"
    assert (answer.trace_id, answer.metadata.trace_id, answer.metadata.model_used) == (
        "trace-1",
        "trace-1",
        "gpt-4",
    )
    assert answer.usage.total_cost == pytest.approx(12 * 0.00003 + 5 * 0.00006)
    stub.DeleteModel(models.DeleteModelRequest(name=name), timeout=10)
    with pytest.raises(grpc.RpcError) as caught:
        stub.GetModel(models.GetModelRequest(name=name), timeout=10)
    assert caught.value.code() is grpc.StatusCode.NOT_FOUND  # pyright: ignore[reportAttributeAccessIssue]


def test_a_stream(stub: Any, running: RunningService, provider: FakeProvider) -> None:
    name = fresh("stream")
    running.model(name, provider.profile(name, token_delay_s=0.02, tokens=8))
    request = completions.GenerateCompletionRequest(model_name=name, prompt="hello")
    messages = list(stub.StreamCompletion(request, timeout=20))
    assert "".join(m.delta for m in messages).startswith("Hello from the fake provider.")
    assert messages[-1].usage.output_tokens == 8
    assert messages[-1].metadata.finish_reason == "stop"


def test_tools_are_called_over_grpc_and_rest(
    stub: Any, running: RunningService, provider: FakeProvider
) -> None:
    name = fresh("tools")
    running.model(name, provider.profile(name, tool_call=True))
    document: dict[str, Any] = {
        "messages": [{"parts": [{"text": "and this?"}, {"image": {"url": "https://pictures.test/a.png"}}]}],
        "tools": [{"name": "get_weather", "parameters": {"type": "object"}}],
    }
    request = json_format.ParseDict({"model_name": name, **document}, completions.GenerateCompletionRequest())
    answer = stub.GenerateCompletion(request, timeout=20)
    (call,) = answer.tool_calls
    assert (call.id, call.name, json.loads(call.arguments)) == ("call_1", "get_weather", {"city": "Paris"})
    assert (answer.completion, answer.metadata.finish_reason) == ("", "tool_calls")
    pieces = [piece for message in stub.StreamCompletion(request, timeout=20) for piece in message.tool_calls]
    assert "".join(piece.arguments for piece in pieces) == call.arguments
    over_rest = running.http.post(f"/api/v1/models/{name}/completions", json=document).json()
    assert over_rest["tool_calls"] == [{"id": "call_1", "name": "get_weather", "arguments": call.arguments}]
    seen = provider.seen(name)["last_body"]
    assert seen["messages"][0]["content"][1]["image_url"]["url"] == "https://pictures.test/a.png"
    # What was called, and what came of it, sent back.
    document["messages"] += [
        {"role": "assistant", "tool_calls": over_rest["tool_calls"]},
        {"role": "tool", "tool_call_id": call.id, "content": "sunny"},
    ]
    assert running.http.post(f"/api/v1/models/{name}/completions", json=document).status_code == 200
    assert [m["role"] for m in provider.seen(name)["last_body"]["messages"]] == ["user", "assistant", "tool"]


def test_a_stream_that_breaks(stub: Any, running: RunningService, provider: FakeProvider) -> None:
    name = fresh("broken")
    running.model(name, provider.profile(name, token_delay_s=0.02, truncate_after=3))
    request = completions.GenerateCompletionRequest(model_name=name, prompt="hello")
    received: list[str] = []
    with pytest.raises(grpc.RpcError) as caught:
        received.extend(m.delta for m in stub.StreamCompletion(request, timeout=20))
    assert caught.value.code() is grpc.StatusCode.UNAVAILABLE  # pyright: ignore[reportAttributeAccessIssue]


def test_an_error_carries_its_details(stub: Any) -> None:
    with pytest.raises(grpc.RpcError) as caught:
        stub.CreateModel(models.CreateModelRequest(name="x", provider="custom", model_name="y"), timeout=10)
    error: Any = caught.value
    assert error.code() is grpc.StatusCode.INVALID_ARGUMENT
    status = rpc_status.from_call(error)
    assert status is not None
    info = error_details_pb2.ErrorInfo()
    assert any(detail.Unpack(info) for detail in status.details)
    assert info.reason == "INVALID_ARGUMENT"


@pytest.fixture
def slow_route(running: RunningService, provider: FakeProvider) -> str:
    """A route whose first model never answers."""
    name = fresh("slow")
    running.model(f"{name}-hangs", provider.profile(f"{name}-hangs", hang=True))
    running.model(f"{name}-good", provider.profile(f"{name}-good", tokens=3))
    route = {"name": name, "targets": [{"model": f"{name}-hangs"}], "fallbacks": [f"{name}-good"]}
    assert running.http.post("/api/v1/routes", json=route).status_code == 201
    return name


@pytest.mark.parametrize(
    ("timeout_s", "metadata"), [(1.5, ()), (20.0, [("x-voyager-timeout-ms", "1500")])], ids=["own", "header"]
)
def test_the_fallback_answers_before_the_calls_deadline(
    stub: Any, slow_route: str, timeout_s: float, metadata: Any
) -> None:
    """A call of 1.5 s, said by gRPC or by a header: the first model gets its half, and the second answers."""
    request = completions.GenerateCompletionRequest(model_name=slow_route, prompt="hello")
    began = time.monotonic()
    answer = stub.GenerateCompletion(request, timeout=timeout_s, metadata=metadata)
    assert time.monotonic() - began < 1.5
    assert (answer.metadata.model, answer.metadata.attempts) == (f"{slow_route}-good", 2)
    began = time.monotonic()
    messages = list(stub.StreamCompletion(request, timeout=timeout_s, metadata=metadata))
    assert time.monotonic() - began < 1.5
    assert messages[-1].metadata.model == f"{slow_route}-good"


def ended(call: Any) -> tuple[Any, dict[str, Any]]:
    """(status, fields of all its details) of a call that fails."""
    with pytest.raises(grpc.RpcError) as caught:
        call()
    error: Any = caught.value
    status = rpc_status.from_call(error)
    assert status is not None
    fields: dict[str, Any] = {"trailers": dict(error.trailing_metadata()), "code": error.code()}
    for detail in status.details:
        for kind in (
            error_details_pb2.ErrorInfo,
            error_details_pb2.RequestInfo,
            error_details_pb2.RetryInfo,
            error_details_pb2.BadRequest,
        ):
            message = kind()
            if detail.Unpack(message):
                fields[kind.DESCRIPTOR.name] = message
    return status, fields


def test_errors_say_what_happened(stub: Any, running: RunningService, provider: FakeProvider) -> None:
    name = fresh("told")
    running.model(name, provider.profile(name, status=500))
    request = completions.GenerateCompletionRequest(model_name=name, prompt="hello")
    metadata = [("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")]
    for call in (
        lambda: stub.GenerateCompletion(request, timeout=20, metadata=metadata),
        lambda: list(stub.StreamCompletion(request, timeout=20, metadata=metadata)),
    ):
        _, fields = ended(call)
        assert fields["code"] is grpc.StatusCode.UNAVAILABLE
        assert fields["RequestInfo"].request_id == "0af7651916cd43dd8448eb211c80319c"
        assert fields["trailers"]["x-voyager-trace-id"] == "0af7651916cd43dd8448eb211c80319c"
        assert fields["ErrorInfo"].metadata["attempt_1"].startswith(f"{name}: ")
        assert fields["RetryInfo"].retry_delay.seconds == 1
        assert fields["trailers"]["retry-after"] == "1"


def test_a_limit_says_what_is_left(stub: Any, running: RunningService, provider: FakeProvider) -> None:
    name = fresh("limited")
    running.model(name, provider.profile(name), rate_limits={"requests_per_minute": 1})
    request = completions.GenerateCompletionRequest(model_name=name, prompt="hello")
    stub.GenerateCompletion(request, timeout=20)
    for call in (stub.GenerateCompletion, lambda *a, **k: list(stub.StreamCompletion(*a, **k))):
        _, fields = ended(lambda call=call: call(request, timeout=20))
        assert fields["code"] is grpc.StatusCode.RESOURCE_EXHAUSTED
        assert fields["trailers"]["x-ratelimit-limit-requests"] == "1"
        assert fields["trailers"]["x-ratelimit-remaining-requests"] == "0"


def test_a_stream_that_breaks_names_its_attempts(
    stub: Any, running: RunningService, provider: FakeProvider
) -> None:
    name = fresh("cut")
    running.model(name, provider.profile(name, token_delay_s=0.02, truncate_after=3))
    request = completions.GenerateCompletionRequest(model_name=name, prompt="hello", trace_id="book-7")
    _, fields = ended(lambda: list(stub.StreamCompletion(request, timeout=20)))
    assert fields["RequestInfo"].request_id == "book-7"
    assert fields["ErrorInfo"].metadata["attempts"] == "1"
    assert fields["ErrorInfo"].metadata["attempt_1"].startswith(f"{name}: ")


def test_an_answer_names_its_trace(stub: Any, running: RunningService, provider: FakeProvider) -> None:
    name = fresh("named")
    running.model(name, provider.profile(name))
    request = completions.GenerateCompletionRequest(model_name=name, prompt="hello")
    metadata = [("x-trace-id", "book-7")]
    answer, call = stub.GenerateCompletion.with_call(request, timeout=20, metadata=metadata)
    assert answer.metadata.trace_id == "book-7"
    assert dict(call.trailing_metadata())["x-voyager-trace-id"] == "book-7"
    stream = stub.StreamCompletion(request, timeout=20, metadata=metadata)
    assert list(stream)[-1].metadata.trace_id == "book-7"
    assert dict(stream.trailing_metadata())["x-voyager-trace-id"] == "book-7"


def test_a_tag_that_does_not_fit_is_refused_by_name(stub: Any) -> None:
    request = completions.GenerateCompletionRequest(
        model_name="m", prompt="hello", metadata={"book": "x" * 257}
    )
    _, fields = ended(lambda: stub.GenerateCompletion(request, timeout=20))
    assert fields["code"] is grpc.StatusCode.INVALID_ARGUMENT
    assert fields["BadRequest"].field_violations[0].field == "metadata.book"


@pytest.mark.parametrize("method", ["GetModel", "StreamCompletion"])
def test_bytes_that_are_no_message_are_an_invalid_argument(running: RunningService, method: str) -> None:
    with grpc.insecure_channel(f"127.0.0.1:{running.grpc_port}") as channel:
        path = f"/voyager.llm.v1.ModelManager/{method}"
        call = channel.unary_stream(path) if method.startswith("Stream") else channel.unary_unary(path)
        status, fields = ended(
            lambda: list(call(b"\xff\xff\xff", timeout=10, metadata=[("x-trace-id", "b")]))
        )
    assert fields["code"] is grpc.StatusCode.INVALID_ARGUMENT
    assert status.message == "the message is no valid protobuf of the method's request"
    assert fields["RequestInfo"].request_id == "b"


def test_an_unknown_model_is_named_by_the_requests_own_field(stub: Any) -> None:
    request = completions.GenerateCompletionRequest(model_name=fresh("nobody"), prompt="hello")
    status, fields = ended(lambda: stub.GenerateCompletion(request, timeout=10))
    assert fields["code"] is grpc.StatusCode.NOT_FOUND
    assert fields["BadRequest"].field_violations[0].field == "model_name"
    assert status.message.startswith("model_name: ")


@pytest.mark.parametrize("size", [1_000, 16_000, 1_000_000])
@pytest.mark.parametrize("letter", ["x", "é", "語", "😀", "\n", "%"])
def test_an_error_of_any_length_arrives_as_what_it_is(stub: Any, letter: str, size: int) -> None:
    """HAProxy has 16 KiB for an answer's trailers, a client 8, and the text stands three times in them."""
    with pytest.raises(grpc.RpcError) as caught:
        stub.GetModel(models.GetModelRequest(name=letter * size), timeout=20)
    assert caught.value.code() is grpc.StatusCode.NOT_FOUND
    assert caught.value.details().startswith("name: no model is named")
    status = rpc_status.from_call(caught.value)
    assert status is not None
    assert status.message == caught.value.details()


def test_a_prompt(stub: Any) -> None:
    name = fresh("prompt")
    stub.CreatePrompt(
        prompts.CreatePromptRequest(
            name=name,
            version="1.0.0",
            template="Hello {{who}}, {{n}} times",
            parameters=[
                prompts.PromptParameter(name="who", type="string", required=True),
                prompts.PromptParameter(name="n", type="integer", required=True),
            ],
        ),
        timeout=10,
    )
    request = prompts.RenderPromptRequest(prompt_name=name, variables={"who": "Ada", "n": "3"})
    rendered = stub.RenderPrompt(request, timeout=10)
    assert rendered.rendered_prompt == "Hello Ada, 3 times"
    assert dict(rendered.resolved_variables) == {"who": "Ada", "n": "3"}
    with pytest.raises(grpc.RpcError, match=r"variables\.n"):
        stub.RenderPrompt(
            prompts.RenderPromptRequest(prompt_name=name, variables={"who": "A", "n": "x"}), timeout=10
        )


def test_reflection_and_health(running: RunningService) -> None:
    with grpc.insecure_channel(f"127.0.0.1:{running.grpc_port}") as channel:
        services = set(ProtoReflectionDescriptorDatabase(channel).get_services())
        assert {"voyager.llm.v1.ModelManager", "grpc.health.v1.Health"} <= services
        health = health_pb2_grpc.HealthStub(channel)
        status = health.Check(health_pb2.HealthCheckRequest(), timeout=10).status
        assert status == health_pb2.HealthCheckResponse.SERVING
        watched = health.Watch(health_pb2.HealthCheckRequest(), timeout=10)
        assert next(watched).status == health_pb2.HealthCheckResponse.SERVING
        watched.cancel()
