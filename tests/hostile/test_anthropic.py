"""Nothing that a body in Anthropic's words holds steers a call, whoever makes it."""

from __future__ import annotations

import itertools
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deployments.ingress.anthropic.decode import decode
from deployments.ingress.asgi import HttpRequest
from tests.hostile.litellm_names import names
from voyager_llm.domain.completion import CompletionRequest
from voyager_llm.domain.messages import check_messages
from voyager_llm.domain.operation import Operation
from voyager_llm.domain.parameters import PARAMETERS, may_be_allowed
from voyager_llm.errors import InvalidArgument

POISONS = ["http://canary.example/steal", ["os.environ/CANARY"], {"type": "external_account"}, True, 7]
HELLO = [{"role": "user", "content": "hi"}]


def asked(operation: Operation = Operation.MESSAGES, **body: Any) -> CompletionRequest:
    document = orjson.dumps({"model": "m", "messages": HELLO, **body})
    return decode(HttpRequest("POST", "/v1/messages", "", {}, document), operation).request


@pytest.mark.parametrize("operation", [Operation.MESSAGES, Operation.COUNT_TOKENS])
def test_no_body_holds_what_litellm_takes(operation: Operation) -> None:
    for name, value in itertools.product(sorted(names() - PARAMETERS[operation].keys() - {"model"}), POISONS):
        if may_be_allowed(name):
            assert asked(operation, **{name: value}).further == {name}, "only what a model allows goes on"
        else:
            with pytest.raises(InvalidArgument) as refused:
                asked(operation, **{name: value})
            assert refused.value.field in (name, "body")


KINDS = ["text", "image", "document", "search_result", "tool_use", "tool_result", "thinking",
         "redacted_thinking", "server_tool_use", "url", "base64", "content", "json_schema", "custom",
         "auto", "any", "tool", "enabled", "adaptive", "clear_x", "ephemeral"]  # fmt: skip
NAMES = ["type", "text", "source", "content", "title", "context", "citations", "enabled", "data", "role",
         "media_type", "url", "id", "name", "input", "tool_use_id", "is_error", "thinking", "signature",
         "cache_control", "input_schema", "schema", "format", "effort", "budget_tokens", "edits",
         "strict"]  # fmt: skip
values = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 9999) | st.text(max_size=4) | st.sampled_from(KINDS),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(NAMES), inner, max_size=6),
    max_leaves=20,
)
blocks = st.builds(
    lambda kind, block: {**block, "type": kind},
    st.sampled_from(KINDS),
    st.dictionaries(st.sampled_from(NAMES), values, max_size=6),
)
turns = st.builds(
    lambda role, content: {"role": role, "content": content},
    st.sampled_from(["user", "assistant", "system"]),
    st.text(max_size=3) | st.lists(blocks),
)


@settings(max_examples=400, deadline=None)
@given(
    messages=st.lists(turns, min_size=1, max_size=4),
    further=st.dictionaries(
        st.sampled_from(sorted(PARAMETERS[Operation.MESSAGES].keys() - {"messages"})), values, max_size=4
    ),
)
def test_whatever_a_body_holds_a_chat_is_made_of_it_or_it_is_refused(
    messages: list[dict[str, Any]], further: dict[str, Any]
) -> None:
    """With parameters of a chat alone, whose messages the lanes may rely on."""
    try:
        body = dict(asked(**{**further, "messages": messages}).body)
    except InvalidArgument:
        return
    assert body.keys() <= PARAMETERS[Operation.CHAT].keys()
    check_messages(body["messages"])
