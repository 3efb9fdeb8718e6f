"""The providers that are compared: all of the adapter lane that chat, and some of the wire lane.

`cloudflare` and `triton` are called at an address that a definition gives in full and take text alone;
`voyage` embeds.
"""

from __future__ import annotations

from tests.contract.differential.sides import Family

ADAPTER = (
    Family("anthropic", "claude-sonnet-4-5", "/v1/messages"),
    # It has no schema for answers of its own, and does not think.
    Family("anthropic", "claude-3-haiku-20240307", "/v1/messages"),
    Family("gemini", "gemini-2.5-flash", "/v1beta"),
    Family("gemini", "gemini-3-pro-preview", "/v1beta"),
    Family("ollama_chat", "llama3.1", ""),
    Family("mistral", "mistral-large-latest", "/v1"),
    Family("codestral", "codestral-latest", "/v1"),
    Family("cohere", "command-a-03-2025", "/v2/chat"),
)
WIRE = (
    Family("openai", "gpt-4o-mini", "/v1"),
    Family("deepseek", "deepseek-chat", "/v1"),
    Family("hosted_vllm", "qwen3", "/v1"),
    Family("ollama", "llama3.1", "/v1", theirs="openai"),
    Family("openrouter", "anthropic/claude-sonnet-4.5", "/api/v1"),
    Family("xai", "grok-3", "/v1"),
    Family("groq", "llama-3.3-70b-versatile", "/openai/v1"),
    Family("perplexity", "sonar", ""),
)
FAMILIES = ADAPTER + WIRE
