"""What may be asked of a model. Used by the codecs, the request path and the lanes."""

from __future__ import annotations

from enum import StrEnum


class Operation(StrEnum):
    """What is asked of a provider; the value is the path of OpenAI's API, or of Anthropic's."""

    CHAT = "/chat/completions"
    TEXT = "/completions"
    EMBEDDINGS = "/embeddings"
    # Chats in the words of another API; who does not speak it is asked for a `CHAT`.
    RESPONSES = "/responses"
    MESSAGES = "/messages"
    # How many tokens the prompt of a `MESSAGES` has.
    COUNT_TOKENS = "/messages/count_tokens"
