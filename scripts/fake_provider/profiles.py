"""How the fake provider behaves, chosen by the first segment of a request's path.

`PUT /_profiles/NAME` sets one, `GET /_profiles/NAME` shows it with what was asked of it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Profile:
    """Faults and timing. Seconds where a time; 0 and empty: not so."""

    # Until the head of the answer.
    latency_s: float = 0.0
    # Between two tokens of a stream.
    token_delay_s: float = 0.0
    tokens: int = 5
    text: str = ""
    # Answers with this status instead of 200.
    status: int = 0
    # The first so many requests fail with `status`; 0: all do.
    fail_first: int = 0
    retry_after: str = ""
    error_code: str = ""
    error_message: str = "the fake provider was told to fail"
    # A raw body and its type, instead of any answer.
    raw: str = ""
    raw_type: str = "application/json"
    # Status 200 with an error in the body.
    error_in_body: bool = False
    no_usage: bool = False
    # Streams: stop after so many tokens, without an end; send garbage; send an error; stop sending.
    truncate_after: int = 0
    malformed_after: int = 0
    error_after: int = 0
    hang_after: int = 0
    # Never answer at all.
    hang: bool = False
    redirect_to: str = ""
    redirect_status: int = 302
    # Streams: in one of the forms of `untidy.py`; of another type than the format's ("none": without one).
    untidy: str = ""
    stream_type: str = ""
    tool_call: bool = False
    # What it thinks before it answers, in OpenAI's and Anthropic's formats; Claude signs it.
    thought: str = ""
    # Tokens of the prompt that it writes to its cache, as Anthropic reports them.
    cache_written: int = 0
    # Ends with its format's word for a refusal.
    refuses: bool = False
    # Streams of Anthropic's: a ping behind the first event, as Anthropic sends it.
    pings: bool = False
    # Of responses: why they break off; that they fail once they have begun.
    incomplete: str = ""
    fails_created: bool = False
    # The keys that it takes, in whatever header; none: it asks for no key.
    keys: tuple[str, ...] = ()
    # What it answers to another key.
    key_status: int = 401
    # Refuses, with status 400, a request whose body holds this text.
    refuse_text: str = ""
    # It has no operation beside text.
    lacks: bool = False
    # Of batches: how many polls find one unfinished.
    polls: int = 0
    # What it answers where it fails or refuses, instead of its format's error.
    error_raw: str = ""


@dataclass
class Record:
    """What was asked of a profile."""

    profile: Profile = field(default_factory=Profile)
    requests: int = 0
    completed: int = 0
    # Clients that went away before the end.
    aborted: int = 0
    ongoing: int = 0
    most_ongoing: int = 0
    last_path: str = ""
    last_body: Any = None
    last_headers: dict[str, str] = field(default_factory=dict)
