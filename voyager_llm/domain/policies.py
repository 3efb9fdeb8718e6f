"""The order in which a route's targets are tried: one pure function a policy.

Each takes the candidates with their weights and loads and returns them in order of preference. Used by
`deployments/router.py`.
"""

from __future__ import annotations

import hashlib
import math
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from types import MappingProxyType

from voyager_llm.domain.route import Policy


@dataclass(frozen=True, slots=True)
class Candidate:
    """A target as a policy sees it."""

    name: str
    weight: float
    in_flight: int
    # Expected seconds until an answer (peak EWMA).
    load: float
    # Price of an input plus an output token.
    price: Decimal


Order = Callable[[Sequence[Candidate], str, random.Random], list[Candidate]]


def weighted(candidates: Sequence[Candidate], session: str, rng: random.Random) -> list[Candidate]:
    """At random, by weight, without repetition (Efraimidis and Spirakis, 2006: the largest of
    u^(1/w) comes first)."""
    return sorted(candidates, key=lambda c: math.log(1.0 - rng.random()) / c.weight, reverse=True)


def least_in_flight(candidates: Sequence[Candidate], session: str, rng: random.Random) -> list[Candidate]:
    return _two_choices(candidates, rng, lambda c: (c.in_flight + 1) / c.weight)


def peak_ewma(candidates: Sequence[Candidate], session: str, rng: random.Random) -> list[Candidate]:
    return _two_choices(candidates, rng, lambda c: c.load / c.weight)


def cheapest(candidates: Sequence[Candidate], session: str, rng: random.Random) -> list[Candidate]:
    """By price; equal prices at random."""
    return sorted(candidates, key=lambda c: (c.price, rng.random()))


def sticky(candidates: Sequence[Candidate], session: str, rng: random.Random) -> list[Candidate]:
    """The same order for the same session; a target that goes or comes moves only its own share
    (weighted rendezvous hashing). Without a session: by weight."""
    if not session:
        return weighted(candidates, session, rng)

    def rank(candidate: Candidate) -> float:
        seed = hashlib.blake2b(f"{session}\0{candidate.name}".encode(), digest_size=8).digest()
        unit = (int.from_bytes(seed) + 0.5) / 2**64
        return -candidate.weight / math.log(unit)

    return sorted(candidates, key=rank, reverse=True)


def _two_choices(
    candidates: Sequence[Candidate], rng: random.Random, cost: Callable[[Candidate], float]
) -> list[Candidate]:
    """The better of two drawn by weight comes first (Mitzenmacher, 2001): near the best choice
    without the herd that always taking the least loaded one makes of several routers."""
    drawn = weighted(candidates, "", rng)
    return sorted(drawn[:2], key=cost) + drawn[2:]


ORDERS: Mapping[Policy, Order] = MappingProxyType(
    {
        Policy.WEIGHTED: weighted,
        Policy.LEAST_IN_FLIGHT: least_in_flight,
        Policy.PEAK_EWMA: peak_ewma,
        Policy.CHEAPEST: cheapest,
        Policy.STICKY: sticky,
    }
)
