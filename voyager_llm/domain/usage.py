"""What one answer used, in one normal form for all providers and APIs.

Made by `usage_reports.py` out of what a provider reports, and by `deployments/request/demand.py` where it
reports nothing; priced by `price.py`; part of answers, accounts and metrics.
"""

from __future__ import annotations

from dataclasses import dataclass

# A larger count is no count of tokens; also what the protocol's int32 holds.
MOST = 2**31 - 1


@dataclass(frozen=True, slots=True)
class Usage:
    """Counts of tokens, and of what else is paid for.

    ``input_tokens`` and ``output_tokens`` are wholes, as OpenAI counts: every other count of tokens is a part
    of one of them. It holds whatever the usage is made with that no count is negative or above `MOST`, and
    that parts never exceed their whole:

    * input: cached + cache_write, and audio_input + image_input + video_input; each of the two sums alone,
      since audio may be cached: that much of it is ``cached_audio_tokens``
    * output: reasoning + audio_output + image_output
    * ``cache_write_1h_tokens`` are part of ``cache_write_tokens``: kept for an hour, the others five minutes

    A report that says otherwise is cut where it is untidy, the parts in the order of the fields."""

    # The whole prompt: what was read from a cache and what was written to one included.
    input_tokens: int = 0
    # All that the model wrote, its reasoning included.
    output_tokens: int = 0
    cached_input_tokens: int = 0
    reasoning_tokens: int = 0
    cache_write_tokens: int = 0
    cache_write_1h_tokens: int = 0
    audio_input_tokens: int = 0
    cached_audio_tokens: int = 0
    image_input_tokens: int = 0
    video_input_tokens: int = 0
    audio_output_tokens: int = 0
    image_output_tokens: int = 0
    # Of audio that is paid for by its length.
    audio_seconds: int = 0
    web_searches: int = 0
    # Pictures made, characters spoken, and searches of a reranker: a query over up to 100 documents.
    images: int = 0
    characters: int = 0
    search_units: int = 0
    # Provider calls that were answered.
    requests: int = 0
    # In which the provider served it, in its words: "priority", "flex", "batch"; empty: it does not say.
    service_tier: str = ""
    # The provider reported nothing, and tokens are counted from the text's length.
    estimated: bool = False

    def __post_init__(self) -> None:
        if not self._is_tidy():
            self._cut()

    @property
    def total_tokens(self) -> int:
        return self.input_tokens + self.output_tokens

    def _counts(self) -> tuple[int, ...]:
        return (
            self.input_tokens, self.output_tokens, self.cached_input_tokens, self.reasoning_tokens,
            self.cache_write_tokens, self.cache_write_1h_tokens, self.audio_input_tokens,
            self.cached_audio_tokens, self.image_input_tokens, self.video_input_tokens,
            self.audio_output_tokens, self.image_output_tokens, self.audio_seconds, self.web_searches,
            self.images, self.characters, self.search_units, self.requests,
        )  # fmt: skip

    def _is_tidy(self) -> bool:
        counts = self._counts()
        return (
            min(counts) >= 0
            and max(counts) <= MOST
            and self.cached_input_tokens + self.cache_write_tokens <= self.input_tokens
            and self.cache_write_1h_tokens <= self.cache_write_tokens
            and self.audio_input_tokens + self.image_input_tokens + self.video_input_tokens
            <= self.input_tokens
            and self.cached_audio_tokens <= min(self.cached_input_tokens, self.audio_input_tokens)
            and self.reasoning_tokens + self.audio_output_tokens + self.image_output_tokens
            <= self.output_tokens
        )

    def _cut(self) -> None:
        self._limit(MOST, "input_tokens")
        self._limit(MOST, "output_tokens")
        self._limit(self.input_tokens, "cached_input_tokens", "cache_write_tokens")
        self._limit(self.cache_write_tokens, "cache_write_1h_tokens")
        self._limit(self.input_tokens, "audio_input_tokens", "image_input_tokens", "video_input_tokens")
        self._limit(min(self.cached_input_tokens, self.audio_input_tokens), "cached_audio_tokens")
        self._limit(self.output_tokens, "reasoning_tokens", "audio_output_tokens", "image_output_tokens")
        for alone in (*UNITS, "requests"):
            self._limit(MOST, alone)

    def _limit(self, whole: int, *parts: str) -> None:
        """Cut parts so that together they are at most the whole."""
        for part in parts:
            count = min(max(0, getattr(self, part)), whole)
            object.__setattr__(self, part, count)
            whole -= count


# What is counted beside tokens and requests; each is a whole of its own.
UNITS = ("audio_seconds", "web_searches", "images", "characters", "search_units")
NOTHING_USED = Usage()
