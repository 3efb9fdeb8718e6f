"""The table of judgements: every error has a row, and rows keep to what they are for."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from voyager_llm import errors
from voyager_llm.domain.judgement import JUDGEMENTS, Again, Blame, Chain, Judgement, judge
from voyager_llm.errors import RENDERINGS, VoyagerError


def _tree(kind: type[VoyagerError]) -> Iterator[type[VoyagerError]]:
    for below in kind.__subclasses__():
        yield below
        yield from _tree(below)


ERRORS = list(_tree(VoyagerError))


def test_every_error_has_one_row_and_every_row_an_error() -> None:
    codes = [kind.code for kind in ERRORS]
    assert sorted(codes) == sorted(JUDGEMENTS)
    assert set(codes) == set(RENDERINGS)


@pytest.mark.parametrize("kind", ERRORS, ids=lambda kind: kind.__name__)
def test_what_the_request_itself_caused_is_held_against_no_endpoint(kind: type[VoyagerError]) -> None:
    if RENDERINGS[kind.code].http < 500 and not issubclass(kind, errors.RateLimited):
        assert judge(kind("x")).blame is Blame.NONE
        assert not judge(kind("x")).elsewhere


@pytest.mark.parametrize("kind", ERRORS, ids=lambda kind: kind.__name__)
def test_who_may_be_asked_again_may_be_left_for_another(kind: type[VoyagerError]) -> None:
    row = judge(kind("x"))
    if row.again is Again.PAID:
        assert row.elsewhere


WITNESSED = Judgement(Blame.WITNESSED, elsewhere=True)
AND_AGAIN = Judgement(Blame.WITNESSED, elsewhere=True, again=Again.PAID)


@pytest.mark.parametrize(
    ("error", "row"),
    [
        (errors.UpstreamUnreachable("x"), Judgement(Blame.DOWN, elsewhere=True, again=Again.PAID)),
        (errors.UpstreamUnavailable("x"), AND_AGAIN),
        (errors.UpstreamInvalid("x"), AND_AGAIN),
        (errors.UpstreamTimeout("x"), WITNESSED),
        (errors.UpstreamUnsupported("x"), WITNESSED),
        (errors.UpstreamMisconfigured("x"), Judgement(Blame.WITNESSED, elsewhere=True, renews_key=True)),
        (errors.UpstreamRateLimited("x"), Judgement(Blame.LIMIT, elsewhere=True)),
        (errors.UpstreamRequestTooLarge("x"), Judgement(elsewhere=True)),
        (errors.UpstreamConflict("x"), Judgement(elsewhere=True, again=Again.PAID)),
        (errors.UpstreamRejected("x"), Judgement()),
        (errors.ContextWindowExceeded("x"), Judgement(chain=Chain.LARGER_CONTEXT)),
        (errors.ContentPolicyRefused("x"), Judgement(chain=Chain.OTHER_POLICY)),
        (errors.CallerLost("x"), Judgement(again=Again.FREE)),
        (errors.StreamInterrupted("x"), Judgement(Blame.SUSPECT)),
        (errors.RateLimited("x"), Judgement(elsewhere=True)),
        (errors.Cancelled("x"), Judgement()),
        (errors.Internal("x"), Judgement()),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, VoyagerError) else "",
)
def test_the_rows_that_decide(error: VoyagerError, row: Judgement) -> None:
    assert judge(error) == row
