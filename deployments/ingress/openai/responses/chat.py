"""The chat that asks for the same as a request of the Responses API. Used by `request.py`.

Each parameter is said in the chat's words, or refused by name, or changes no answer: none is lost in silence.
`docs/responses.md` has the table.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from deployments.ingress.openai.responses.items import Items, messages_of, only_native
from deployments.ingress.openai.responses.tools import tools_of
from voyager_llm.domain.messages import check_messages
from voyager_llm.domain.operation import Operation
from voyager_llm.domain.parameters import PARAMETERS
from voyager_llm.errors import InvalidArgument

Document = Mapping[str, Any]

# Under the same name in both.
_SAME = (
    "prompt_cache_key", "prompt_cache_retention", "safety_identifier", "service_tier", "temperature", "top_p",
    "user",
)  # fmt: skip
# A provider does these itself, or keeps what they name.
_NATIVE = ("context_management", "moderation", "prompt")
LOGPROBS = "message.output_text.logprobs"
# Besides log probabilities, of what a provider's own tools found, and of what is there anyway.
_INCLUDED = frozenset(
    {
        LOGPROBS, "code_interpreter_call.outputs", "computer_call_output.output.image_url",
        "file_search_call.results", "message.input_image.image_url", "reasoning.encrypted_content",
        "web_search_call.action.sources", "web_search_call.results",
    }
)  # fmt: skip


def translated(document: Document, items: Items, further: frozenset[str]) -> dict[str, Any]:
    """``further``: names that no table knows; they stay as they are. Raises `InvalidArgument` naming the
    field of what a chat cannot say."""
    for name in _NATIVE:
        if document.get(name):
            raise only_native(f"requests with {name}", name)
    if document.get("truncation") not in (None, "disabled"):
        raise only_native("conversations to be shortened", "truncation")
    body: dict[str, Any] = {"messages": _messages(document, items)}
    body |= {name: document[name] for name in _SAME if document.get(name) is not None}
    if document.get("max_output_tokens") is not None:
        body["max_tokens"] = document["max_output_tokens"]
    body |= _tools(document)
    body |= _text(document.get("text") or {})
    body |= _reasoning(document.get("reasoning") or {})
    body |= _logprobs(document)
    for name in further:
        if name in PARAMETERS[Operation.CHAT] and PARAMETERS[Operation.CHAT][name].is_standard:
            raise InvalidArgument("is a parameter of chats, not of responses", name)
        body[name] = document[name]
    return body


def _messages(document: Document, items: Items) -> list[dict[str, Any]]:
    messages = messages_of(items)
    instructions = document.get("instructions")
    if instructions:
        messages.insert(0, {"role": "system", "content": instructions})
    check_messages(messages)
    return messages


def _tools(document: Document) -> dict[str, Any]:
    given = document.get("tools") or []
    tools = tools_of(given, document.get("tool_choice"))
    if not given:
        # OpenAI refuses a chat that chooses among no tools, unless it is said that none is to be called.
        return {} if tools.choice in (None, "auto", "none") else {"tool_choice": tools.choice}
    body: dict[str, Any] = {"tools": tools.functions} if tools.functions else {}
    if tools.choice is not None and tools.functions:
        body["tool_choice"] = tools.choice
    if document.get("parallel_tool_calls") is not None and tools.functions:
        body["parallel_tool_calls"] = document["parallel_tool_calls"]
    return body


def _text(text: Document) -> dict[str, Any]:
    _refuse_others(text, {"format", "verbosity"}, "text")
    body: dict[str, Any] = {}
    if text.get("verbosity") is not None:
        body["verbosity"] = text["verbosity"]
    given = text.get("format") or {"type": "text"}
    form = cast("Document", given) if isinstance(given, dict) else {}
    kind = form.get("type")
    if kind == "json_schema":
        schema = {name: value for name, value in form.items() if name != "type" and value is not None}
        body["response_format"] = {"type": "json_schema", "json_schema": schema}
    elif kind == "json_object":
        body["response_format"] = {"type": "json_object"}
    elif kind != "text":
        raise only_native(f"formats of type {str(kind)[:64]}", "text.format.type")
    return body


def _reasoning(reasoning: Document) -> dict[str, Any]:
    # Of what the model thought, all there is is shown: as its summary where one is asked for.
    _refuse_others(reasoning, {"effort", "summary", "generate_summary", "context", "mode"}, "reasoning")
    for name, usual in (("context", "auto"), ("mode", "standard")):
        if reasoning.get(name) not in (None, usual):
            raise only_native(f"requests with reasoning.{name}", f"reasoning.{name}")
    effort = reasoning.get("effort")
    if effort is None:
        return {}
    if not isinstance(effort, str):
        raise InvalidArgument("must be a string", "reasoning.effort")
    return {"reasoning_effort": effort}


def _logprobs(document: Document) -> dict[str, Any]:
    included: list[str] = document.get("include") or []
    for name in included:
        if name not in _INCLUDED:
            raise only_native(f"answers that include {name[:64]}", "include")
    most = document.get("top_logprobs")
    if LOGPROBS not in included and not most:
        return {}
    return {"logprobs": True, "top_logprobs": most} if most else {"logprobs": True}


def _refuse_others(given: Document, known: set[str], field: str) -> None:
    for name, value in given.items():
        if name not in known and value is not None:
            raise only_native(f"requests with {field}.{name[:64]}", f"{field}.{name[:64]}")
