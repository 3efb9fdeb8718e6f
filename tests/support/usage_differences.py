"""Where our reading of usage and prices differs from what another library expects of the same bodies; why.

Checked by `tests/unit/test_usage_data.py`: a difference that is not here fails it, and so does a row here
that no longer differs. The other library tries every body on every provider's reader, so most rows are of
readers that look at less of a body than ours of the same wire format.
"""

from __future__ import annotations

# Their providers that speak OpenAI's chat protocol.
_CHAT = frozenset(
    """
    anthropic azure cerebras deepseek doubleword fireworks google huggingface_cerebras
    huggingface_fireworks-ai huggingface_groq huggingface_hyperbolic huggingface_nebius huggingface_novita
    huggingface_nscale huggingface_ovhcloud huggingface_publicai huggingface_sambanova huggingface_together
    minimax modal moonshotai openai openrouter ovhcloud x-ai zai zhipuai
    """.split()
)
_RESPONSES = frozenset({"azure", "doubleword", "minimax", "modal", "openai"})
_EMBEDDINGS = frozenset({"azure", "doubleword", "openai"})
_CLOUDS = frozenset({"aws", "azure", "google"})

_DETAIL = "their reader does not look for this detail, which the body reports"
_NUM_CACHED = "they do not read Mistral's num_cached_tokens, and few read cached tokens elsewhere"
_CHAT_BODY = "bodies of chats tried on their reader of embeddings, which looks at the prompt's total alone"
_MESSAGES_BODY = "bodies of Anthropic's tried on the Responses API, which has no such fields"

# By flavour and field of theirs: the reason, and the providers whose readers differ.
COUNTS: dict[tuple[str, str], tuple[str, frozenset[str]]] = {
    ("chat", "cache_read_tokens"): (_NUM_CACHED, _CHAT),
    ("chat", "cache_write_tokens"): (
        _DETAIL,
        frozenset(
            {"anthropic", "azure", "cerebras", "deepseek", "fireworks", "google", "minimax", "moonshotai",
             "x-ai", "zai", "zhipuai"}
        ),
    ),
    ("chat", "input_audio_tokens"): (
        _DETAIL,
        frozenset(
            {"anthropic", "cerebras", "deepseek", "doubleword", "fireworks", "minimax", "modal",
             "moonshotai", "x-ai", "zai", "zhipuai"}
        ),
    ),
    ("chat", "input_video_tokens"): (_DETAIL, _CHAT),
    ("chat", "output_reasoning_tokens"): (_DETAIL, frozenset({"modal"})),
    ("chat", "output_tokens"): (
        "they add reasoning whatever the total says; here only bodies of others, which hold it inside",
        frozenset({"x-ai"}),
    ),
    ("default", "cache_read_tokens"): (_NUM_CACHED, frozenset({"groq", "mistral", "perplexity", "x-ai"})),
    ("default", "cache_write_tokens"): (_DETAIL, frozenset({"groq", "mistral", "perplexity", "x-ai"})),
    ("default", "input_audio_tokens"): (_DETAIL, frozenset({"mistral", "perplexity", "x-ai"})),
    ("default", "input_video_tokens"): (_DETAIL, frozenset({"groq", "mistral", "perplexity", "x-ai"})),
    ("default", "output_reasoning_tokens"): (_DETAIL, frozenset({"minimax", "perplexity", "x-ai"})),
    ("default", "web_searches"): (_DETAIL, frozenset({"minimax"})),
    ("anthropic", "output_reasoning_tokens"): (_DETAIL, _CLOUDS),
    ("anthropic", "web_searches"): (_DETAIL, _CLOUDS),
    ("embeddings", "cache_read_tokens"): (_CHAT_BODY, _EMBEDDINGS),
    ("embeddings", "cache_write_tokens"): (_CHAT_BODY, _EMBEDDINGS),
    ("embeddings", "input_audio_tokens"): (_CHAT_BODY, _EMBEDDINGS),
    ("embeddings", "input_video_tokens"): (_CHAT_BODY, _EMBEDDINGS),
    ("embeddings", "output_reasoning_tokens"): (_CHAT_BODY, _EMBEDDINGS),
    ("embeddings", "output_tokens"): (_CHAT_BODY, _EMBEDDINGS),
    ("responses", "cache_read_tokens"): (_MESSAGES_BODY, _RESPONSES),
    ("responses", "cache_write_tokens"): (_MESSAGES_BODY, frozenset({"azure", "doubleword", "minimax"})),
    ("responses", "output_reasoning_tokens"): (_DETAIL, frozenset({"doubleword", "minimax"})),
    ("responses", "web_searches"): (_MESSAGES_BODY, _RESPONSES),
}  # fmt: skip

_LISTS = "the two price lists differ"
_LONG = "LiteLLM lists prices above 200,000 tokens for this model on Bedrock and Vertex, they for Anthropic's"
_SONNET = "claude-sonnet-4-5-20250929"

# By provider and flavour of theirs, and model: why a price differs.
PRICES: dict[tuple[str, str, str], str] = {
    ("anthropic", "default", _SONNET): _LONG,
    ("aws", "anthropic", _SONNET): _LONG,
    ("azure", "anthropic", _SONNET): _LONG,
    ("azure", "responses", _SONNET): f"{_LONG}; {_MESSAGES_BODY}",
    ("google", "anthropic", _SONNET): _LONG,
    ("azure", "responses", "claude-sonnet-4-6"): _MESSAGES_BODY,
    ("azure", "responses", "claude-sonnet-5"): _MESSAGES_BODY,
    ("azure", "chat", "gpt-4o-audio-preview-2024-12-17"): "they have no price of audio for it",
    ("openai", "chat", "gpt-4o-audio-preview-2024-12-17"): "they have no price of audio for it",
    ("azure", "anthropic", "gpt-5.6-sol"): _LISTS,
    ("azure", "chat", "gpt-5.6-sol"): _LISTS,
    ("azure", "responses", "gpt-5.6-sol"): _LISTS,
    ("openai", "chat", "gpt-5.6-sol"): _LISTS,
    ("openai", "responses", "gpt-5.6-sol"): _LISTS,
    ("azure", "chat", "gpt-oss-120b"): _LISTS,
    ("ovhcloud", "chat", "gpt-oss-120b"): _LISTS,
    ("deepseek", "chat", "deepseek-reasoner"): f"{_LISTS}, and they have one for hours of less demand",
    ("deepseek", "chat", "deepseek-v4-flash"): f"{_LISTS}, and they have one for hours of less demand",
    ("google", "default", "gemini-2.0-flash"): "LiteLLM lists it for Vertex alone, where it costs more",
    ("mistral", "default", "magistral-small-latest"): _LISTS,
    ("mistral", "default", "mistral-large-latest"): f"{_LISTS}; {_NUM_CACHED}",
    ("mistral", "default", "mistral-medium-latest"): f"{_LISTS}; {_NUM_CACHED}",
    ("mistral", "default", "mistral-small-latest"): _LISTS,
    ("zhipuai", "chat", "glm-4.7"): _LISTS,
}

# Models that they have a price for and LiteLLM's table has none: a definition must say what they cost.
UNLISTED: dict[str, frozenset[str]] = {
    "anthropic": frozenset({"claude-3-opus-20240229", "claude-sonnet-4-20250514"}),
    "aws": frozenset({"claude-opus-4-6", "openai.gpt-5.5", "openai.gpt-5.6-luna"}),
    "azure": frozenset(
        {"claude-3-opus-20240229", "claude-sonnet-4-20250514", "computer-use-preview-2025-03-11",
         "gpt-4.5-preview-2025-02-27", "gpt-4o-search-preview-2025-03-11", "gpt-5-pro-2025-10-06"}
    ),
    "deepseek": frozenset({"deepseek-r1-distill-llama-70b"}),
    "google": frozenset(
        {"anthropic/claude-sonnet-4.5", "claude-sonnet-4-20250514", "gemini-1.5-flash",
         "gemini-2.0-flash-exp", "gemini-2.5-pro-preview-05-06", "google/gemini-2.0-flash-exp:free"}
    ),
    "groq": frozenset(
        {"deepseek-r1-distill-llama-70b", "llama-3.3-70b-versatile", "llama3-8b-8192",
         "meta-llama/Llama-4-Scout-17B-16E-Instruct", "meta-llama/llama-4-maverick-17b-128e-instruct",
         "meta-llama/llama-4-scout-17b-16e-instruct", "qwen/qwen3-32b"}
    ),
    "mistral": frozenset({"pixtral-12b-latest"}),
    "openai": frozenset({"gpt-4.5-preview-2025-02-27", "gpt-oss-120b", "o1-mini-2024-09-12"}),
    "ovhcloud": frozenset({"deepseek-r1-distill-llama-70b"}),
}  # fmt: skip
