"""The direct path's frames, messages and tables: whatever arrives, in whatever pieces."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deployments.hop import messages, names
from deployments.hop.announcement import Announcement, announced
from deployments.hop.frames import HEAD, FrameReader, Kind, ProtocolError, frame, read_number
from deployments.hop.handshake import ReplicaHandshake, RouterHandshake, new_secret
from deployments.hop.names import Names, Numbers
from voyager_llm.domain.completion import Answer, Call, Resource, StreamEnd
from voyager_llm.domain.endpoint import Endpoint
from voyager_llm.domain.model import SecretRef
from voyager_llm.domain.operation import Operation
from voyager_llm.domain.prompt import PromptDefinition
from voyager_llm.domain.providers import Lane
from voyager_llm.domain.usage import Usage
from voyager_llm.errors import Internal, RateLimited, UpstreamRateLimited, VoyagerError
from voyager_llm.templating.render import Message, Rendered

LIMIT = 64

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
times = st.floats(0, 1e6)
counts = st.integers(0, 2**53)
json = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | texts
    | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=8,
)  # fmt: skip
objects = st.dictionaries(texts, json, max_size=3)
usages = st.builds(Usage, *[counts] * 18, texts, st.booleans())
endpoints = st.builds(
    Endpoint, texts, texts, texts, texts, st.sampled_from(Lane), texts, st.tuples(texts, texts), texts,
    st.none() | st.builds(SecretRef, name=st.just("a-name"), key=st.just("key")), objects,
    st.dictionaries(texts, texts, max_size=3),
)  # fmt: skip
calls = st.builds(
    Call, st.sampled_from(Operation), endpoints, st.binary(max_size=50), st.booleans(), st.booleans(), times,
    times, times, resource=st.builds(Resource, texts, texts),
)  # fmt: skip
KINDS: list[type[VoyagerError]] = [
    kind for kind in vars(__import__("voyager_llm.errors", fromlist=["errors"])).values()
    if isinstance(kind, type) and issubclass(kind, VoyagerError)
]  # fmt: skip
errors = st.builds(lambda kind, *given: kind(*given), st.sampled_from(KINDS), texts, texts, times)
ends = st.builds(StreamEnd, st.none() | usages, st.none() | errors)


def shown(error: VoyagerError | None) -> Any:
    return error and (type(error), error.message, error.field, error.retry_after_s)


@given(
    st.lists(st.tuples(st.sampled_from(Kind), st.integers(0, 2**32 - 1), st.binary(max_size=LIMIT))),
    st.data(),
)
def test_frames_are_the_same_however_they_are_cut(
    frames: list[tuple[Kind, int, bytes]], data: st.DataObject
) -> None:
    sent = b"".join(frame(*each) for each in frames)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(sent)), max_size=10)))
    reader = FrameReader(LIMIT)
    found: list[tuple[int, int, bytes]] = []
    for start, stop in zip([0, *cuts], [*cuts, len(sent)], strict=True):
        found += reader.feed(sent[start:stop])
    assert found == frames


@given(st.integers(LIMIT + 1, 2**32 - 1), st.integers(0, HEAD.size))
def test_a_frame_over_the_limit_is_refused_by_its_head_alone(size: int, cut: int) -> None:
    head = HEAD.pack(size, Kind.CALL, 1)
    reader = FrameReader(LIMIT)
    pieces = (found for piece in (head[:cut], head[cut:]) for found in reader.feed(piece))
    with pytest.raises(ProtocolError):
        list(pieces)


def test_a_large_frame_in_small_pieces_is_joined_once() -> None:
    """Joined at each piece, it would take minutes."""
    size = 32 * 1024 * 1024
    reader = FrameReader(size)
    sent = memoryview(frame(Kind.ANSWER, 1, bytes(size)))
    found: list[tuple[int, int, bytes]] = []
    for start in range(0, len(sent), 4096):
        found += reader.feed(bytes(sent[start : start + 4096]))
    assert [(kind, number, len(payload)) for kind, number, payload in found] == [(Kind.ANSWER, 1, size)]


@given(calls)
def test_a_call_arrives_as_it_left(call: Call) -> None:
    endpoint = messages.read_endpoint(messages.pack_endpoint(call.endpoint))
    assert messages.read_call(endpoint, b"".join(messages.pack_call(call))) == call


@given(st.builds(Answer, st.binary(), st.none() | usages, texts))
def test_an_answer_arrives_as_it_left(answer: Answer) -> None:
    assert messages.read_answer(b"".join(messages.pack_answer(answer))) == answer


@given(ends)
def test_an_end_arrives_as_it_left(end: StreamEnd) -> None:
    found = messages.read_end(messages.pack_end(end))
    assert (found.usage, shown(found.error)) == (end.usage, shown(end.error))


@given(st.lists(st.builds(Message, texts, texts), max_size=3).map(tuple), objects, st.booleans())
def test_a_prompt_arrives_as_it_left(found: tuple[Message, ...], variables: Any, are_texts: bool) -> None:
    rendered = Rendered(found, variables)
    assert messages.read_rendered(messages.pack_rendered(rendered)) == rendered
    assert messages.read_variables(messages.pack_variables(variables, are_texts)) == (are_texts, variables)
    prompt = PromptDefinition(name="a", version="1.0.0", template="x")
    assert messages.read_prompt(messages.pack_prompt(prompt)) == prompt


def test_an_error_that_only_the_other_end_knows_is_an_internal_one() -> None:
    packed = messages.pack_error(UpstreamRateLimited("later", "model", 2.0))
    assert isinstance(messages.read_error(packed), RateLimited)
    assert type(messages.read_error(packed.replace(b"UpstreamRateLimited", b"Newer"))) is Internal


def test_another_version_is_not_spoken_to() -> None:
    metadata = Announcement(messages.VERSION, "node", "/path", "", 0, 1, "00").metadata()
    assert announced(metadata) is not None
    for hop in ({**metadata["hop"], "version": "0"}, {"version": messages.VERSION}, None, "text"):
        assert announced({"hop": hop}) is None
    assert announced({}) is None


def test_what_is_announced_keeps_its_secret_out_of_logs() -> None:
    assert "beef" not in repr(Announcement("1", "node", "/path", "", 0, 1, "beef"))


@given(st.lists(st.integers(0, 9), max_size=40))
def test_both_ends_name_the_same_thing_by_a_number(used: list[int]) -> None:
    """Also where the table is smaller than what is in use."""
    most, names.MAX_NAMES = names.MAX_NAMES, 4
    try:
        things = [f"thing {i}" for i in range(10)]
        numbers, learnt = Numbers(), Names(bytes.decode)
        for i in used:
            number = numbers.known(things[i])
            if number is None:
                number = numbers.give(things[i], len(things[i]))
                learnt.learn(number, things[i].encode())
            assert learnt.thing(number) == things[i]
    finally:
        names.MAX_NAMES = most


def test_a_table_of_names_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(names, "MAX_NAMES", 2)
    monkeypatch.setattr(names, "MAX_BYTES", 10)
    learnt = Names(bytes.decode)
    learnt.learn(0, b"a")
    for number, payload in ((2, b"b"), (0, b"c" * 11)):
        with pytest.raises(ProtocolError):
            learnt.learn(number, payload)
    learnt.learn(0, b"a")
    learnt.learn(1, b"b")
    with pytest.raises(ProtocolError):
        learnt.learn(2, b"c")
    with pytest.raises(ProtocolError):
        learnt.thing(2)


def test_each_end_knows_the_other_by_the_secret() -> None:
    secret = new_secret()
    router, replica = RouterHandshake(secret, b""), ReplicaHandshake(secret, b"")
    challenge = replica.challenge(router.hello)
    proof = router.answer(challenge)
    replica.check(proof)
    assert secret not in router.hello + challenge + proof


@pytest.mark.parametrize(
    ("secret", "certificate"),
    [(b"t" * 32, b""), (b"s" * 32, b"another certificate")],
    ids=["secret", "certificate"],
)
def test_neither_end_takes_another_secret_or_certificate(secret: bytes, certificate: bytes) -> None:
    router, replica = RouterHandshake(secret, certificate), ReplicaHandshake(b"s" * 32, b"")
    challenge = replica.challenge(router.hello)
    with pytest.raises(ProtocolError):
        router.answer(challenge)
    right = RouterHandshake(b"s" * 32, b"")
    right.hello = router.hello
    with pytest.raises(ProtocolError):  # an end's own proof, sent back to it
        replica.check(challenge[32:])
    replica.check(right.answer(challenge))
    with pytest.raises(ProtocolError):  # a proof of another time
        ReplicaHandshake(b"s" * 32, b"").check(right.answer(challenge))


@given(st.binary(max_size=100).filter(lambda hello: len(hello) != 32))
def test_nonces_have_their_length(hello: bytes) -> None:
    with pytest.raises(ProtocolError):
        ReplicaHandshake(b"s" * 32, b"").challenge(hello)
    with pytest.raises(ProtocolError):
        RouterHandshake(b"s" * 32, b"").answer(hello[:63])
    with pytest.raises(ProtocolError):
        ReplicaHandshake(b"s" * 32, b"").check(hello)


def test_a_payload_without_its_number_is_refused() -> None:
    with pytest.raises(ProtocolError):
        read_number(b"abc")
