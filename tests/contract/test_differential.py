"""What our lanes send and what they make of answers, beside `litellm.acompletion`, provider by provider.

Every difference stands in `differential/differences.py` with its reason, and nothing else may differ.
"""

from __future__ import annotations

import asyncio

import pytest

from tests.contract.differential.answers import ANSWERS, Given
from tests.contract.differential.comparing import answers_differ, requests_differ
from tests.contract.differential.differences import ANSWERS as ANSWERS_DIFFER
from tests.contract.differential.differences import REQUESTS as REQUESTS_DIFFER
from tests.contract.differential.differences import expected
from tests.contract.differential.documented import DOCUMENT, filled
from tests.contract.differential.families import ADAPTER, FAMILIES
from tests.contract.differential.shapes import SHAPES
from tests.contract.differential.sides import Done, Family, Sides
from tests.support.recorder import Recorder
from voyager_llm.domain.providers import PROVIDERS, Lane


async def theirs(sides: Sides, family: Family, body: dict[str, object]) -> Done:
    """In a task, so that what LiteLLM is allowed ends with it."""
    return await asyncio.create_task(sides.theirs(family, body))


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.name)
async def test_a_request_is_sent_as_litellm_would_send_it(sides: Sides, family: Family) -> None:
    found: set[tuple[str, str]] = set()
    for name, shape in SHAPES.items():
        body = dict(shape)
        our, their = await sides.ours(family, body), await theirs(sides, family, body)
        found |= {(name, path) for path in requests_differ(our, their)}
    assert found == expected(REQUESTS_DIFFER, family.provider, SHAPES)


@pytest.mark.parametrize("provider", sorted({given.provider for given in ANSWERS.values()}))
async def test_an_answer_is_read_as_litellm_would_read_it(
    sides: Sides, recorder: Recorder, provider: str
) -> None:
    of_it = next(family for family in FAMILIES if family.provider == provider)
    found: set[tuple[str, str]] = set()
    tried: list[str] = []
    for given in (given for given in ANSWERS.values() if given.provider == provider):
        family = Family(provider, given.model or of_it.model, of_it.path, of_it.theirs)
        for stream in (False, True) if given.events else (False,):
            tried.append(given.name + (" (stream)" if stream else ""))
            found |= {
                (tried[-1], path) for path in await _read_differently(sides, recorder, family, given, stream)
            }
    assert found == expected(ANSWERS_DIFFER, provider, tried)


async def _read_differently(
    sides: Sides, recorder: Recorder, family: Family, given: Given, stream: bool
) -> frozenset[str]:
    recorder.reply = given.reply(stream)
    body = given.request(stream)
    our, their = await sides.ours(family, body), await theirs(sides, family, body)
    assert our.answer, f"{given.name} fails: {our.refused}"
    assert not our.refused, f"{given.name} breaks off: {our.refused}"
    return answers_differ(our, their)


def test_every_provider_of_the_adapter_lane_is_compared() -> None:
    """Save those that `differential/families.py` gives a reason for."""
    of_the_lane = {name for name, of in PROVIDERS.items() if of.lane is Lane.ADAPTER}
    assert of_the_lane - {family.provider for family in ADAPTER} == {
        "cloudflare", "cohere_chat", "triton", "voyage",
    }  # fmt: skip


def test_the_document_says_what_the_tests_hold() -> None:
    """`python -m tests.contract.differential.documented` writes its tables anew."""
    assert DOCUMENT.read_text() == filled(DOCUMENT.read_text())
