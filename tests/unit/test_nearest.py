"""An unknown name brings the one that was meant, and never costs more than a request does."""

from __future__ import annotations

import random
import time
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voyager_llm.domain.nearest import Names

KNOWN = [
    "gpt-4-production", "gpt-4o", "claude-3-5-sonnet", "openrouter/anthropic/claude-3", "Team A/gpt",
    "prompt:support", "prompt:process_suggestion", "local", "m",
]  # fmt: skip


@pytest.mark.parametrize(
    ("asked", "meant"),
    [
        ("gpt4o", "gpt-4o"),
        ("GPT-4o", "gpt-4o"),
        ("gpt-4-prodution", "gpt-4-production"),
        ("gtp-4-production", "gpt-4-production"),
        ("gpt-4-produtcino", "gpt-4-production"),
        ("gpt-4-prod", "gpt-4-production"),
        ("openai/gpt-4o", "gpt-4o"),
        ("claude-3-5-sonnet-20241022", "claude-3-5-sonnet"),
        ("team a/gpt", "Team A/gpt"),
        ("support", "prompt:support"),
        ("suport", "prompt:support"),
        ("prompt:local", "local"),
        ("process-suggestion", "prompt:process_suggestion"),
        ("lokal", "local"),
        # Nothing is near these.
        ("mistral-large", ""),
        ("n", ""),
        ("", ""),
        ("gpt-5.5-turbo-preview", ""),
        ("x" * 10_000, ""),
    ],
)
def test_what_was_meant(asked: str, meant: str) -> None:
    assert Names(KNOWN).nearest(asked) == meant


def test_the_message_repeats_little_of_a_long_name() -> None:
    assert Names(KNOWN).unknown("model or route", "gpt4o") == (
        "no model or route is named 'gpt4o'; did you mean 'gpt-4o'?"
    )
    assert len(Names(KNOWN).unknown("model or route", "\x00" * 1_000_000)) < 1_000


WORDS = st.text("abcdef-/", min_size=12, max_size=40)


@given(st.lists(WORDS, min_size=1, max_size=60), st.integers(0, 10**6), st.sampled_from("drit"))
def test_one_slip_is_always_mended(words: list[str], place: int, slip: str) -> None:
    """Among names that are farther apart than a slip, it is the one that was meant."""
    name = words[0]
    i = place % (len(name) - 1)
    asked = {
        "d": name[:i] + name[i + 1 :],
        "r": name[:i] + "z" + name[i + 1 :],
        "i": name[:i] + "z" + name[i:],
        "t": name[:i] + name[i + 1] + name[i] + name[i + 2 :],
    }[slip]
    found = Names([name, *(f"0{word[::-1]}0" for word in words[1:])]).nearest(asked)
    assert found == name


@given(st.lists(st.text(max_size=20), max_size=20), st.text(max_size=30))
def test_only_what_is_known_is_ever_suggested(words: list[str], asked: str) -> None:
    assert Names(words).nearest(asked) in ("", *words)


def cpu_ms(names: Names, asked: Sequence[str]) -> float:
    """Of the slowest of them, each at its best of three: what others do meanwhile is not counted."""
    slowest = 0.0
    for name in asked:
        took: list[float] = []
        for _ in range(3):
            began = time.thread_time()
            names.nearest(name)
            took.append(time.thread_time() - began)
        slowest = max(slowest, min(took))
    return slowest * 1000


def _alike(i: int) -> str:
    return "a" * 90 + f"{i:05d}"


def _swapped(i: int) -> str:
    return "ab" * 45 + f"{i:05d}"


ATTACKS = {
    "random": lambda r: "".join(r.choice("abc-") for _ in range(100)),
    "alike in the middle": lambda r: "a" * 87 + "bcb" + f"{r.randrange(10_000):05d}",
    "unlike at both ends": lambda r: "b" + "a" * 88 + f"{r.randrange(10_000):05d}b",
    "swaps": lambda r: "ab" * 30 + "ba" + "ab" * 14 + f"{r.randrange(10_000):05d}",
    "megabytes": lambda r: "ab" * 500_000,
}


@pytest.mark.parametrize("attack", ATTACKS)
def test_no_unknown_name_costs_more_than_a_request(attack: str) -> None:
    """Beside ten thousand models whose names are as alike as they can be."""
    r = random.Random(7)
    names = Names([*map(_alike, range(5_000)), *map(_swapped, range(5_000))])
    began = time.thread_time()
    names.nearest("first")
    assert time.thread_time() - began < 0.2, "once for each configuration"
    assert cpu_ms(names, [ATTACKS[attack](r) for _ in range(300)]) < 5


def test_beyond_a_bound_names_are_not_looked_at() -> None:
    names = Names(f"name-{i:06d}" for i in range(1_000_000))
    began = time.thread_time()
    assert names.nearest("name-000001x") == "name-000001"
    assert time.thread_time() - began < 0.5
