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
    # Beside text: no provider is asked for these in other words than the client's, save by LiteLLM.
    MODERATIONS = "/moderations"
    RERANK = "/rerank"
    IMAGES = "/images/generations"
    IMAGE_EDITS = "/images/edits"
    IMAGE_VARIATIONS = "/images/variations"
    SPEECH = "/audio/speech"
    TRANSCRIPTIONS = "/audio/transcriptions"
    TRANSLATIONS = "/audio/translations"
    # Of an account at a provider.
    FILES = "/files"
    BATCHES = "/batches"


# Their streams begin with a line that is the answer's content type: they need not be events.
FURTHER = frozenset(
    {
        Operation.MODERATIONS, Operation.RERANK, Operation.IMAGES, Operation.IMAGE_EDITS,
        Operation.IMAGE_VARIATIONS, Operation.SPEECH, Operation.TRANSCRIPTIONS, Operation.TRANSLATIONS,
        Operation.FILES, Operation.BATCHES,
    }
)  # fmt: skip
# Of a stream of these, an event carries about a token of text.
WRITING = frozenset(
    {Operation.CHAT, Operation.TEXT, Operation.RESPONSES, Operation.MESSAGES, Operation.TRANSCRIPTIONS}
)
