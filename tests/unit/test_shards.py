"""A publication in pieces: all of it comes back, a small change is a small change, and damage is seen."""

from __future__ import annotations

import base64
import random
import zlib
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from voyager_llm.definitions import shards
from voyager_llm.definitions.bundle import Bundle, Published, bundle_of
from voyager_llm.definitions.shards import (
    SHARD_BYTES,
    DamagedError,
    Piece,
    TooLargeError,
    content_of,
    entries_in,
    index_in,
    sharded,
)
from voyager_llm.domain.definition import Kind, digest


def prompt(name: str, size: int = 100, content: str = "x") -> Published:
    return Published(Kind.PROMPT, name, {"name": name, "template": content * size}, "git")


def platform(number: int, size: int = 1000) -> list[Published]:
    return [prompt(f"prompt-{n}", size) for n in range(number)]


def read(pieces: shards.Sharded) -> Bundle:
    """What a reader makes of it."""
    index = index_in(pieces.index.content)
    by_name = {shard.name: shard for shard in pieces.shards}
    assert list(by_name) == list(index.shards)
    found = [entry for name in index.shards for entry in entries_in(content_of(name, by_name[name].packed()))]
    return bundle_of(found, stated=index.digest)


sizes = st.sampled_from([1, 1000, SHARD_BYTES // 3, SHARD_BYTES, 2 * SHARD_BYTES])
entries = st.lists(
    st.builds(prompt, st.text("abcdef", min_size=1, max_size=4), sizes),
    unique_by=lambda e: e.name,
    max_size=12,
)


@settings(max_examples=50)
@given(entries, st.randoms())
def test_what_is_read_is_what_was_put_whatever_the_order(
    given_: list[Published], chance: random.Random
) -> None:
    bundle = bundle_of(given_)
    pieces = sharded(bundle)
    assert read(pieces) == bundle
    assert read(pieces).digest == bundle.digest
    shuffled = list(given_)
    chance.shuffle(shuffled)
    assert sharded(bundle_of(shuffled)) == pieces
    for shard in pieces.shards:
        assert len(shard.content) <= SHARD_BYTES or len(entries_in(shard.content)) == 1


@settings(max_examples=30)
@given(st.integers(0, 2000), st.sampled_from(["added", "changed", "removed"]))
def test_one_definition_changes_one_shard_or_splits_or_joins_it(number: int, what: str) -> None:
    before = platform(2000)
    after = list(before)
    if what == "added":
        after.append(prompt(f"new-{number}", 1000))
    elif what == "changed":
        after[number % 2000] = prompt(f"prompt-{number % 2000}", 1000, "y")
    else:
        del after[number % 2000]
    old, new = ({shard.name for shard in sharded(bundle_of(found)).shards} for found in (before, after))
    assert len(old) > 5
    assert len(new - old) <= 2
    assert len(old - new) <= 2


@pytest.mark.parametrize("damage", [b"", b"no zlib", zlib.compress(b"[]"), zlib.compress(b" " * 20_000_000)])
def test_what_is_not_what_its_name_says_is_refused(damage: bytes) -> None:
    (shard,) = sharded(bundle_of([prompt("a")])).shards
    with pytest.raises(DamagedError, match="does not hold what its name says"):
        content_of(shard.name, damage)


@pytest.mark.parametrize(
    "content", [b"", b"[]", b'{"digest": "x"}', b'{"shards": []}', b'{"digest": 1, "shards": 2}']
)
def test_what_is_no_index_is_refused(content: bytes) -> None:
    with pytest.raises(DamagedError):
        index_in(content)


@pytest.mark.parametrize("content", [b"", b"[1]", b'[["model"]]', b'[["nothing", "a", "b", {}]]'])
def test_what_is_no_shard_is_refused(content: bytes) -> None:
    with pytest.raises(DamagedError):
        entries_in(content)


def test_a_definition_that_fits_no_object_is_named() -> None:
    noise: dict[str, Any] = {"template": base64.b64encode(random.Random(1).randbytes(1_200_000)).decode()}
    (shard,) = sharded(bundle_of([Published(Kind.PROMPT, "huge", noise, "git")])).shards
    with pytest.raises(TooLargeError, match="prompt huge has"):
        shard.packed()
    assert len(Piece(digest(b"x" * 900_000), b"x" * 900_000).packed()) < 10_000
