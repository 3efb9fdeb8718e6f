"""What clients of OpenAI's, Azure's and other gateways' APIs call, and what it means."""

from __future__ import annotations

from urllib.parse import quote, unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deployments.ingress.paths import Page, Place, allow, find
from voyager_llm.domain.operation import Operation
from voyager_llm.errors import InvalidArgument, MethodNotAllowed

BASES = ["/v1", "", "/openai/v1", "/openai"]
ENDINGS = ["", "/", "//"]


def found(raw: str) -> Place | None:
    """As a server hands a path on."""
    return find(unquote(raw), raw.encode())


@pytest.mark.parametrize("base", BASES)
@pytest.mark.parametrize("ending", ENDINGS)
@pytest.mark.parametrize("operation", Operation)
def test_an_operation_is_under_every_base_address(base: str, ending: str, operation: Operation) -> None:
    place = found(f"{base}{operation}{ending}")
    assert place is not None
    assert (place.content, place.name) == (operation, "")


@pytest.mark.parametrize("operation", Operation)
def test_a_base_address_with_a_slash_at_its_end_is_one(operation: Operation) -> None:
    place = found(f"/v1/{operation}")
    assert place is not None
    assert place.content is operation


OF_ACCOUNTS = (Operation.FILES, Operation.BATCHES)
# APIs whose clients name a model in the body alone.
BY_BODY = (Operation.RESPONSES, Operation.MESSAGES, Operation.COUNT_TOKENS)
NAMES = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=30)


@given(name=NAMES, base=st.sampled_from(BASES), kind=st.sampled_from(["deployments", "engines"]),
       operation=st.sampled_from([o for o in Operation if o not in (*OF_ACCOUNTS, *BY_BODY)]))  # fmt: skip
def test_a_path_may_name_any_destination(name: str, base: str, kind: str, operation: Operation) -> None:
    place = found(f"{base}/{kind}/{quote(name, safe='')}{operation}")
    assert place == Place(operation, frozenset({"POST"}), name)


@pytest.mark.parametrize("base", BASES)
@pytest.mark.parametrize("operation", OF_ACCOUNTS)
@pytest.mark.parametrize("below", ["file-abc", "batch_abc/cancel", "x/content"])
def test_what_an_account_holds_is_read_made_and_deleted(base: str, operation: Operation, below: str) -> None:
    methods = frozenset({"GET", "HEAD", "POST"})
    assert found(f"{base}{operation}") == Place(operation, methods)
    assert found(f"{base}{operation}/{below}") == Place(operation, methods | {"DELETE"}, below)


@given(name=NAMES, base=st.sampled_from(BASES))
def test_a_path_may_name_any_model_to_show(name: str, base: str) -> None:
    assert found(f"{base}/models/{quote(name, safe='')}") == Place(Page.MODEL, name=name)


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("/openai/deployments/openai/gpt-4o/chat/completions", "openai/gpt-4o"),
        ("/engines/chat/chat/completions", "chat"),
        ("/openai/deployments/a%2Fb/chat/completions/", "a/b"),
        ("/openai/deployments/a%252Fb/chat/completions", "a%2Fb"),
    ],
)
def test_a_name_is_decoded_once_and_may_hold_slashes(path: str, name: str) -> None:
    place = found(path)
    assert place is not None
    assert (place.content, place.name) == (Operation.CHAT, name)


@pytest.mark.parametrize(
    "path",
    ["/nope", "/v2/chat/completions", "/v1/chat", "/v1/chat/completions/x", "/engines//", "/v1",
     "/openai/deployments/m", "/engines/chat/completions/x", "/api/v1/models", "/v1x/models"],
)  # fmt: skip
def test_what_is_no_path_of_these_is_none(path: str) -> None:
    assert found(path) is None


def test_a_name_that_is_no_text_is_refused() -> None:
    with pytest.raises(InvalidArgument, match="UTF-8"):
        find("/engines/\ufffd/completions", b"/engines/%ff/completions")


def test_a_wrong_method_is_told_the_right_ones() -> None:
    place = found("/v1/models")
    assert place is not None
    place.check("GET")
    with pytest.raises(MethodNotAllowed, match="use GET") as refused:
        place.check("DELETE")
    assert refused.value.allowed == allow(place.methods) == "GET, HEAD, OPTIONS"
