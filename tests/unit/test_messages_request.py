"""A request in Anthropic's words as a chat: what is said in both, what is left out, what is refused."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from deployments.ingress.anthropic.decode import decode
from deployments.ingress.asgi import HttpRequest
from deployments.request.calls import maker
from deployments.request.routing import Option
from tests.support.calls import model
from voyager_llm.domain.completion import CompletionRequest
from voyager_llm.domain.health import EndpointHealth
from voyager_llm.domain.operation import Operation
from voyager_llm.errors import InvalidArgument
from voyager_llm.settings import Settings

HELLO = [{"role": "user", "content": "hello"}]
PICTURE = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "QUJD"}}
CACHED = {"cache_control": {"type": "ephemeral"}}
SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}


def asked(headers: dict[bytes, bytes] | None = None, **document: Any) -> CompletionRequest:
    body = orjson.dumps({"model": "m", "max_tokens": 64, "messages": HELLO, **document})
    request = decode(HttpRequest("POST", "/v1/messages", "", headers or {}, body), Operation.MESSAGES).request
    assert request.body, "it is made when it is looked into"
    return request


def user(*blocks: dict[str, Any]) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": [*blocks]}]}


def chat(**document: Any) -> dict[str, Any]:
    request = asked(**document)
    assert request.obstacle() is None
    return dict(request.body)


def sent(request: CompletionRequest, name: str = "llama", provider: str = "custom", **fields: Any) -> Any:
    """The chat that a model of this name is sent."""
    of = model("m", provider, name, "http://127.0.0.1:1/v1", **fields)
    option = Option(of, of.endpoints[0], Operation.CHAT, EndpointHealth())
    return orjson.loads(maker(request, Settings())(option, 10.0).body)


def test_a_plain_conversation() -> None:
    messages = [
        {"role": "user", "content": "a"},
        {"role": "assistant", "content": [{"type": "text", "text": "b"}]},
        {"role": "user", "content": [{"type": "text", "text": "c"}, {"type": "text", "text": "d"}]},
    ]
    body = chat(
        system="be brief", messages=messages, temperature=0.5, top_p=0.9, top_k=5, stop_sequences=["x"]
    )
    assert body == {
        "max_tokens": 64, "temperature": 0.5, "top_p": 0.9, "top_k": 5, "stop": ["x"],
        "messages": [
            {"role": "system", "content": "be brief"},
            {"role": "user", "content": "a"},
            {"role": "assistant", "content": "b"},
            {"role": "user", "content": [{"type": "text", "text": "c"}, {"type": "text", "text": "d"}]},
        ],
    }  # fmt: skip


def test_a_round_of_tools() -> None:
    messages = [
        *HELLO,
        {"role": "assistant", "content": [
            {"type": "text", "text": "I look."},
            {"type": "tool_use", "id": "t1", "name": "look", "input": {"at": "é"}},
            {"type": "tool_use", "id": "t2", "name": "look", "input": {}},
        ]},
        {"role": "user", "content": [
            {"type": "tool_result", "tool_use_id": "t1", "content": [{"type": "text", "text": "a"}, PICTURE]},
            {"type": "tool_result", "tool_use_id": "t2", "content": "no such thing", "is_error": True},
            {"type": "tool_result", "tool_use_id": "t3", "content": [PICTURE]},
            {"type": "tool_result", "tool_use_id": "t4"},
            {"type": "text", "text": "go on"},
        ]},
    ]  # fmt: skip
    _, said, *results, further = chat(messages=messages)["messages"]
    assert said["content"] == "I look."
    assert [(c["id"], c["function"]["arguments"]) for c in said["tool_calls"]] == [
        ("t1", '{"at":"é"}'), ("t2", "{}")
    ]  # fmt: skip
    assert [(r["role"], r["tool_call_id"], r["content"]) for r in results] == [
        ("tool", "t1", "a"),
        ("tool", "t2", "Error: no such thing"),
        ("tool", "t3", "The result is in the next message."),
        ("tool", "t4", ""),
    ]
    kinds = [part["type"] for part in further["content"]]
    assert (further["role"], kinds) == ("user", ["image_url", "image_url", "text"])
    assert further["content"][0]["image_url"]["url"] == "data:image/png;base64,QUJD"


def test_documents_pictures_and_search_results() -> None:
    pdf = {"type": "base64", "media_type": "application/pdf", "data": "QUJD"}
    content = [
        {"type": "image", "source": {"type": "url", "url": "https://a.example/p.png"}},
        {"type": "document", "source": pdf, "title": "T"},
        {"type": "document", "source": {"type": "url", "url": "https://a.example/d.pdf"}},
        {
            "type": "document",
            "source": {"type": "text", "media_type": "text/plain", "data": "D"},
            "title": "T",
        },
        {"type": "document", "source": {"type": "content", "content": [{"type": "text", "text": "C"}]}},
        {"type": "search_result", "source": "s", "title": "t", "content": [{"type": "text", "text": "x"}]},
    ]
    parts = chat(messages=[{"role": "user", "content": content}])["messages"][0]["content"]
    assert parts == [
        {"type": "image_url", "image_url": {"url": "https://a.example/p.png"}},
        {"type": "text", "text": "T"},
        {"type": "file", "file": {"filename": "T", "file_data": "data:application/pdf;base64,QUJD"}},
        {"type": "file", "file": {"file_id": "https://a.example/d.pdf"}},
        {"type": "text", "text": "T\n\nD"},
        {"type": "text", "text": "C"},
        {"type": "text", "text": "t\n\ns\n\nx"},
    ]


@pytest.mark.parametrize(
    ("choice", "made"),
    [
        ({"type": "auto"}, {"tool_choice": "auto"}),
        ({"type": "any", "disable_parallel_tool_use": True},
         {"tool_choice": "required", "parallel_tool_calls": False}),
        ({"type": "none"}, {"tool_choice": "none"}),
        ({"type": "tool", "name": "f"}, {"tool_choice": {"type": "function", "function": {"name": "f"}}}),
    ],
)  # fmt: skip
def test_tools_and_how_they_are_chosen(choice: dict[str, Any], made: dict[str, Any]) -> None:
    tool = {"name": "f", "description": "d", "input_schema": SCHEMA, "strict": True, **CACHED}
    body = chat(tools=[tool, {"type": "custom", "name": "g", "input_schema": SCHEMA}], tool_choice=choice)
    function = {"name": "f", "description": "d", "parameters": SCHEMA, "strict": True}
    assert body["tools"] == [
        {"type": "function", "function": function, **CACHED},
        {"type": "function", "function": {"name": "g", "parameters": SCHEMA}},
    ]
    assert made.items() <= body.items()


@pytest.mark.parametrize("name", ["output_config", "output_format"])
def test_structured_output_under_both_names(name: str) -> None:
    wanted: Any = {"type": "json_schema", "schema": SCHEMA}
    body = chat(**{name: {"format": wanted} if name == "output_config" else wanted})
    form = {"name": "output", "schema": SCHEMA, "strict": True}
    assert body["response_format"] == {"type": "json_schema", "json_schema": form}


BUDGET = {"type": "enabled", "budget_tokens": 2000}


@pytest.mark.parametrize(
    ("given", "claude", "others"),
    [
        ({"thinking": BUDGET}, {"thinking": BUDGET}, "low"),
        ({"thinking": {"type": "enabled", "budget_tokens": 31_999}}, None, "high"),
        ({"thinking": {"type": "adaptive"}}, {"thinking": {"type": "adaptive"}}, None),
        ({"thinking": {"type": "adaptive"}, "output_config": {"effort": "max"}},
         {"reasoning_effort": "high"}, "high"),
        ({"thinking": {"type": "disabled"}}, {"thinking": {"type": "disabled"}}, None),
        ({}, {}, None),
    ],
)  # fmt: skip
def test_how_much_to_think(given: dict[str, Any], claude: dict[str, Any] | None, others: str | None) -> None:
    """Claude is told in its words wherever it runs, others where their definition says that they know how."""
    request = asked(**given)
    told = sent(request, "claude-haiku")
    if claude is not None:
        assert {name: told[name] for name in ("thinking", "reasoning_effort") if name in told} == claude
    assert sent(request, capabilities=["reasoning_effort"]).get("reasoning_effort") == others
    assert {"thinking", "reasoning_effort"}.isdisjoint(sent(request))


def test_what_only_claude_knows_goes_to_claude_alone() -> None:
    thought = {"type": "thinking", "thinking": "hm", "signature": "s"}
    hidden = {"type": "redacted_thinking", "data": "x"}
    messages = [
        {"role": "user", "content": [{"type": "text", "text": "a", **CACHED}, {"type": "text", "text": "b"}]},
        {"role": "assistant", "content": [thought, hidden, {"type": "text", "text": "c"}]},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t", "content": "r", **CACHED}]},
    ]
    request = asked(messages=messages, system=[{"type": "text", "text": "s", **CACHED}])
    there = sent(request, "anthropic.claude-3")["messages"]
    assert there[0]["content"] == [{"type": "text", "text": "s", **CACHED}]
    assert there[2]["thinking_blocks"] == [thought, hidden]
    assert there[3]["cache_control"] == CACHED["cache_control"]
    assert sent(request)["messages"] == [
        {"role": "system", "content": "s"},
        {"role": "user", "content": "a\n\nb"},
        {"role": "assistant", "content": "c"},
        {"role": "tool", "tool_call_id": "t", "content": "r"},
    ]
    assert request.body["messages"][0]["content"][0]["cache_control"], "another endpoint may still be Claude"


def test_a_thought_without_a_signature_goes_back_as_text_and_never_to_anthropic() -> None:
    thought = {"type": "thinking", "thinking": "hm", "signature": ""}
    messages = [*HELLO, {"role": "assistant", "content": [thought, {"type": "text", "text": "a"}]}, *HELLO]
    request = asked(messages=messages)
    assert sent(request)["messages"][1] == {"role": "assistant", "content": "a", "reasoning_content": "hm"}
    original = request.original
    assert original is not None
    assert original.document["messages"][1]["content"] == [{"type": "text", "text": "a"}]
    of = model("m", "anthropic", "claude", "http://127.0.0.1:1")
    option = Option(of, of.endpoints[0], Operation.MESSAGES, EndpointHealth())
    assert b"hm" not in maker(request, Settings())(option, 10.0).body


def test_openais_newest_models_know_a_limit_by_its_newest_name() -> None:
    assert sent(asked(), provider="openai")["max_completion_tokens"] == 64
    assert sent(asked())["max_tokens"] == 64


OBSTACLES: list[tuple[dict[str, Any], str]] = [
    ({"tools": [{"type": "web_search_20250305", "name": "web_search"}]}, "tools.0.type"),
    ({"mcp_servers": [{"type": "url", "name": "n", "url": "https://a.example"}]}, "mcp_servers"),
    ({"container": "c"}, "container"),
    ({"max_tokens": 0}, "max_tokens"),
    ({"compaction": {"type": "summarize"}}, "compaction"),
    ({"context_management": {"edits": [{"type": "compact_20260112"}]}}, "context_management.edits.0.type"),
    ({"messages": [*HELLO, {"role": "assistant", "content": "{"}]}, "messages.1.role"),
    (user({"type": "container_upload", "file_id": "f"}), "messages.0.content.0.type"),
    (user({"type": "image", "source": {"type": "file", "file_id": "f"}}), "messages.0.content.0.source.type"),
    (user({"type": "document", "citations": {"enabled": True}, "source": {"type": "text", "data": "d"}}),
     "messages.0.content.0.citations"),
]  # fmt: skip


@pytest.mark.parametrize(("given", "field"), OBSTACLES)
def test_what_a_chat_cannot_say_is_noted_by_its_field(given: dict[str, Any], field: str) -> None:
    """And refused where no endpoint speaks Anthropic's API: `tests/contract/test_messages.py`."""
    obstacle = asked(**given).obstacle()
    assert obstacle is not None
    assert obstacle.field == field


@pytest.mark.parametrize(
    "given",
    [
        {"metadata": {"user_id": "u"}, "service_tier": "auto", "diagnostics": {}, **CACHED},
        {"context_management": {"edits": [{"type": "clear_thinking_20251015", "keep": "all"}]}},
    ],
)
def test_hints_and_notes_to_anthropic_are_left_out(given: dict[str, Any]) -> None:
    assert chat(**given) == chat()


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"messages": []}, "messages"),
        ({"messages": [{"role": "robot", "content": "x"}]}, "messages.0.role"),
        ({"messages": [{"role": "user", "content": 7}]}, "messages.0.content"),
        (user({"type": "text"}), "messages.0.content.0.text"),
        (user({"type": "tool_result"}), "messages.0.content.0.tool_use_id"),
        ({"messages": [{"role": "assistant", "content": [{"type": "tool_use", "id": "i", "name": "n"}]}]},
         "messages.0.content.0.input"),
        ({"tools": [{"name": "f"}]}, "tools.0.input_schema"),
        ({"tool_choice": {"type": "maybe"}}, "tool_choice.type"),
        ({"output_config": {"effort": ["high"]}}, "output_config.effort"),
        ({"temperature": "hot"}, "temperature"),
        ({"max_tokens": -1}, "max_tokens"),
        ({"fallbacks": "default"}, "fallbacks"),
        ({"system": 7}, "system"),
    ],
)  # fmt: skip
def test_what_is_wrong_everywhere_is_refused_by_its_field(given: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidArgument) as refused:
        asked(**given)
    assert refused.value.field == field


def test_the_headers_of_the_api_go_along() -> None:
    betas = {b"anthropic-version": b"2023-06-01", b"anthropic-beta": b"a-2025-01-01, b_2,", b"cookie": b"x"}
    original = asked(betas).original
    assert original is not None
    assert original.headers == (("anthropic-version", "2023-06-01"), ("anthropic-beta", "a-2025-01-01,b_2"))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        (b"anthropic-version", b"newest"),
        (b"anthropic-beta", b"a b"),
        (b"anthropic-beta", b"a\r\nx-api-key: y"),
        (b"anthropic-beta", "é".encode()),
        (b"anthropic-beta", b",".join([b"a"] * 65)),
        (b"anthropic-beta", b"a" * 129),
    ],
)
def test_other_headers_do_not(name: bytes, value: bytes) -> None:
    with pytest.raises(InvalidArgument) as refused:
        asked({name: value})
    assert refused.value.field == name.decode()


def test_a_parameter_that_no_table_knows_is_for_a_model_to_allow() -> None:
    request = asked(speed="fast")
    assert request.further == {"speed"}
    assert request.body["speed"] == "fast"
