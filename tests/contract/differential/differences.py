"""Every difference between what we do and what `litellm.acompletion` does, with its reason.

A row stands for each of its providers in each of its shapes (or answers); `comparing.py` says what a path
means. What is not here must be equal, and what is here must differ: a row that LiteLLM has overtaken fails.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from tests.contract.differential.shapes import SHAPES


@dataclass(frozen=True)
class Row:
    """``shapes`` empty: all of them in which both sides send something."""

    providers: tuple[str, ...]
    shapes: tuple[str, ...]
    paths: tuple[str, ...]
    why: str


_FUNCTIONS = ("functions", "function_call named")
_EFFORTS = ("reasoning_effort low", "reasoning_effort high", "reasoning_effort none")
_NO_CONTENT = (
    "refusal sent back", "tool result", "tool result in parts", "tool results", "tool result then user",
    "tool call without arguments", "tool call with empty object",
)  # fmt: skip
_IN_PARTS = ("system in parts", "parts", "picture", "picture by address", "sound", "pdf", "file by id",
             "cache control", "tool result in parts")  # fmt: skip
_WIRE = ("deepseek", "groq", "hosted_vllm", "ollama", "openai", "openrouter", "perplexity", "xai")
_SCHEMAS = ("json_schema", "json_schema strict", "stream and json_schema")
_TOOL_RESULTS = ("tool call with empty object", "tool call without arguments", "tool result",
                 "tool result in parts", "tool result then user", "tool results")  # fmt: skip
_TOOL_CHOICES = ("tool_choice auto", "tool_choice named", "tool_choice none", "tool_choice required")

_OLD_FUNCTIONS = "functions are tools, and the answer calls a function; LiteLLM drops or garbles them"
_EMPTY = "arguments that are no text are an empty object"
_SILENT = "LiteLLM leaves out in silence what the provider does not take; we refuse it by name"
_FETCHED = "LiteLLM fetches it; we let the provider fetch it"
_FORWARDED = "the wire lane forwards a body as it is: what a provider does not take, it says itself"

REQUESTS: tuple[Row, ...] = (
    Row(("anthropic",), ("sound", "n 2"), ("refused by us",), _SILENT),
    Row(("mistral", "codestral"), ("sound", "n 2"), ("refused by us",), _SILENT),
    Row(("mistral", "codestral", "cohere"), ("picture by plain address",), ("refused by us",),
        "an address without TLS is nothing to fetch a picture from"),
    Row(("ollama_chat",), ("sound", "pdf", "pdf by address", "file by id", "n 2"), ("refused by us",),
        _SILENT),
    Row(("ollama_chat",), ("picture by address", "picture by plain address", "picture by bare address"),
        ("refused by us",), "Ollama fetches nothing: it would take the address for a picture"),
    Row(("cohere",), ("sound", "pdf", "file by id"), ("refused by us",),
        "Cohere has no such parts; LiteLLM sends them all the same"),
    Row(("cohere",), ("refusal sent back",), ("-messages[].refusal",), "Cohere has no such field"),
    Row(("gemini",), ("picture by address", "picture by bare address", "pdf by address"),
        ("refused by LiteLLM",), _FETCHED),
    Row(("gemini",), ("service_tier auto",), ("~serviceTier",),
        "LiteLLM makes `priority` of it, at another price; we send what was given"),
    Row(("gemini",), ("tool call without arguments",), ("-contents[].parts[].function_call.args.type",),
        _EMPTY),
    Row(("ollama_chat",), ("tool call without arguments",), ("refused by LiteLLM",), _EMPTY),
    Row(("mistral", "codestral", "cohere", "deepseek", "groq", "hosted_vllm", "ollama", "openrouter",
         "perplexity", "xai"), ("tool call without arguments",),
        ("~messages[].tool_calls[].function.arguments",), _EMPTY),
    Row(("anthropic", "mistral", "codestral", "cohere"), _FUNCTIONS, ("+tools",), _OLD_FUNCTIONS),
    Row(("anthropic",), _FUNCTIONS, ("+tool_choice",), _OLD_FUNCTIONS),
    Row(("mistral", "codestral"), ("functions",), ("+tool_choice",), _OLD_FUNCTIONS),
    Row(("gemini",), _FUNCTIONS, ("+toolConfig",), _OLD_FUNCTIONS),
    Row(("ollama_chat",), _FUNCTIONS, ("+tools[].function", "+tools[].type", "-tools[].description",
        "-tools[].name", "-tools[].parameters"), _OLD_FUNCTIONS),
    Row(("ollama_chat",), (), ("~header.content-type",), "LiteLLM's client says octet-stream of JSON"),
    Row(("openai",), ("developer",), ("~messages[].role",), "OpenAI's own role; LiteLLM makes system of it"),
    Row(_WIRE, _NO_CONTENT, ("+messages[].content",),
        "null is what OpenAI's API says; LiteLLM leaves it out"),
    Row(_WIRE, ("pdf by address",), ("refused by LiteLLM",), _FETCHED),
    Row(_WIRE, ("metadata",), ("+metadata",), "LiteLLM keeps it for its own records"),
    Row(_WIRE, ("verbosity",), ("+verbosity",), _FORWARDED),
    Row(("deepseek", "groq", "hosted_vllm", "ollama", "openrouter", "perplexity"), ("user",), ("+user",),
        _FORWARDED),
    Row(("deepseek", "groq", "openai", "perplexity", "xai"), _EFFORTS, ("+reasoning_effort",), _FORWARDED),
    Row(("groq", "hosted_vllm", "ollama", "openai", "perplexity", "xai"), ("thinking",), ("+thinking",),
        _FORWARDED),
    Row(("deepseek",), _EFFORTS, ("-thinking",), _FORWARDED),
    Row(("deepseek",), ("thinking",), ("+thinking.budget_tokens",), _FORWARDED),
    Row(("deepseek",), _IN_PARTS, ("~messages[].content",), _FORWARDED),
    Row(("hosted_vllm",), ("thinking",), ("-reasoning_effort",), _FORWARDED),
    Row(("hosted_vllm",), ("thinking sent back",), ("+messages[].thinking_blocks",), _FORWARDED),
    Row(("hosted_vllm",), ("strict tool",), ("+tools[].function.parameters.additionalProperties",),
        _FORWARDED),
    Row(("hosted_vllm", "xai"), ("strict tool",), ("+tools[].function.strict",), _FORWARDED),
    Row(("groq", "hosted_vllm", "perplexity", "xai"), ("cache control",),
        ("+messages[].content[].cache_control",), _FORWARDED),
    Row(("openrouter",), (), ("-usage",), "asks OpenRouter for costs, of which LiteLLM keeps books"),
    Row(("groq",), ("web_search",), ("+web_search_options",), _FORWARDED),
    Row(("groq",), _SCHEMAS, ("+response_format", "-tool_choice", "-tools"),
        "Groq's own schemas; LiteLLM asks for the call of a tool instead"),
    Row(("groq",), ("json_schema and tools",), ("refused by LiteLLM",), "Groq's own schemas go with tools"),
    Row(("groq",), ("stream and json_schema",), ("+stream",), "LiteLLM does not stream with a schema"),
    Row(("perplexity",), ("json_schema and tools", "parallel_tool_calls false", "stream and tools",
        "strict tool", "tools", "two tools", *_TOOL_CHOICES, *_TOOL_RESULTS), ("+tools",), _FORWARDED),
    Row(("perplexity",), _TOOL_CHOICES, ("+tool_choice",), _FORWARDED),
    Row(("perplexity",), ("parallel_tool_calls false",), ("+parallel_tool_calls",), _FORWARDED),
    Row(("perplexity",), ("logit_bias",), ("+logit_bias",), _FORWARDED),
    Row(("perplexity",), ("logprobs",), ("+logprobs", "+top_logprobs"), _FORWARDED),
    Row(("perplexity",), ("n 1", "n 2"), ("+n",), _FORWARDED),
    Row(("perplexity",), ("seed",), ("+seed",), _FORWARDED),
    Row(("perplexity",), ("stop", "stops"), ("+stop",), _FORWARDED),
    Row(("perplexity", "xai"), _FUNCTIONS, ("+functions", "+function_call"), _FORWARDED),
    Row(("perplexity", "xai"), ("prompt_cache_key",), ("+prompt_cache_key",), _FORWARDED),
    Row(("perplexity", "xai"), ("safety_identifier",), ("+safety_identifier",), _FORWARDED),
    Row(("perplexity", "xai"), ("service_tier auto", "service_tier flex"), ("+service_tier",), _FORWARDED),
    Row(("perplexity", "xai"), ("store",), ("+store",), _FORWARDED),
    Row(("groq", "xai"), ("max_completion_tokens",), ("+max_completion_tokens", "-max_tokens"), _FORWARDED),
    Row(("xai",), ("web_search",), ("+messages", "+web_search_options", "-input", "-tools", "~target"),
        "LiteLLM turns to another API of xAI's"),
)  # fmt: skip

_STREAMED = " (stream)"
_NOT_STREAMED = ("",)
_BOTH = ("", _STREAMED)

_OWN_FIELDS = "a field that LiteLLM adds for itself"


def _each(names: Iterable[str], ways: Iterable[str]) -> tuple[str, ...]:
    return tuple(name + way for name in names for way in ways)


_CLAUDES = (
    "text", "cached", "length", "stop sequence", "window exceeded", "refusal", "tool", "tools at once",
    "tool without arguments", "thinking", "schema by tool", "functions",
)  # fmt: skip
_GEMINIS = ("text", "length", "tool", "tool, then its end", "tools at once", "thought", "signature",
            "functions")  # fmt: skip

ANSWERS: tuple[Row, ...] = (
    Row(("gemini",), _each(_GEMINIS, _NOT_STREAMED),
        ("-vertex_ai_citation_metadata", "-vertex_ai_grounding_metadata", "-vertex_ai_safety_results",
         "-vertex_ai_url_context_metadata"), _OWN_FIELDS),
    Row(("anthropic",), _each(("window exceeded",), _BOTH), ("~choices[].finish_reason",),
        "the window is full: `length`, where LiteLLM says `stop`"),
    Row(("anthropic",), ("functions",), ("+choices[].message.function_call", "-choices[].message.tool_calls",
        "~choices[].finish_reason"), _OLD_FUNCTIONS),
    Row(("anthropic",), ("functions (stream)",), ("+choices[].function_call", "-choices[].tool_calls",
        "~choices[].finish_reason"), _OLD_FUNCTIONS),
    Row(("cohere",), ("length", "tool"), ("~choices[].finish_reason",), "LiteLLM always says `stop`"),
    Row(("cohere",), _each(("text", "length", "tool"), (_STREAMED,)), ("failed by LiteLLM",),
        "LiteLLM reads no stream of Cohere's present version"),
    Row(("codestral",), ("text",), ("~model",), "LiteLLM puts its name of the provider before the model's"),
    Row(("codestral",), ("text",), ("-choices[].message.provider_specific_fields",), _OWN_FIELDS),
    Row(("openai",), ("text", "tool"), ("-choices[].message.provider_specific_fields",
        "-choices[].provider_specific_fields"), _OWN_FIELDS),
)  # fmt: skip


def expected(rows: Iterable[Row], provider: str, shapes: Iterable[str]) -> set[tuple[str, str]]:
    """The differences that a table foretells for a provider: pairs of a shape and a path.

    A row for all shapes tells of those which no other row says are refused."""
    of_it = [row for row in rows if provider in row.providers]
    refused = {shape for row in of_it if row.paths[0].startswith("refused") for shape in row.shapes}
    return {
        (shape, path)
        for row in of_it
        for shape in (row.shapes or set(shapes) - refused)
        for path in row.paths
        if shape in shapes
    }


assert all(shape in SHAPES for row in REQUESTS for shape in row.shapes), "a row names a shape that is none"
