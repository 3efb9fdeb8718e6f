"""Strange forms and names reach no provider: what is no text, attacked through its codecs alone."""

from __future__ import annotations

from email.parser import BytesParser
from email.policy import HTTP
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from deployments.ingress.asgi import HttpRequest
from deployments.ingress.openai.bodies import FILES, decode
from tests.hostile.litellm_names import names
from voyager_llm.domain.form import cleaned, form_named, read_form, write_form
from voyager_llm.domain.operation import Operation
from voyager_llm.domain.parameters import PARAMETERS, may_be_allowed
from voyager_llm.errors import InvalidArgument

REQUESTS: dict[Operation, dict[str, Any]] = {
    Operation.MODERATIONS: {"input": "x"},
    Operation.RERANK: {"query": "q", "documents": ["x"]},
    Operation.IMAGES: {"prompt": "x"},
    Operation.SPEECH: {"input": "x", "voice": "v"},
    Operation.TRANSCRIPTIONS: {},
    Operation.TRANSLATIONS: {},
    Operation.IMAGE_EDITS: {"prompt": "x"},
    Operation.IMAGE_VARIATIONS: {},
}
MARK = "b0undary"


def form(*parts: tuple[str, bytes], end: bytes = b"--\r\n") -> HttpRequest:
    """Heads and values as they are."""
    body = b"".join(
        b"--%s\r\n%s\r\n\r\n%s\r\n" % (MARK.encode(), head.encode(), value) for head, value in parts
    )
    kind = f"multipart/form-data; boundary={MARK}".encode()
    return HttpRequest("POST", "/", "", {b"content-type": kind}, body + b"--" + MARK.encode() + end)


def field(name: str, value: str) -> tuple[str, bytes]:
    return f'Content-Disposition: form-data; name="{name}"', value.encode()


def file(name: str = "file", filename: str = "x.mp3") -> tuple[str, bytes]:
    return f'Content-Disposition: form-data; name="{name}"; filename="{filename}"', b"content"


def asked(operation: Operation, **more: Any) -> HttpRequest:
    """A good request of an operation, and ``more``."""
    said = {"model": "m", **REQUESTS[operation], **more}
    if operation not in FILES:
        return HttpRequest("POST", "/", "", {}, orjson.dumps(said))
    needed = [file(name) for name, (_, is_required) in FILES[operation].items() if is_required]
    return form(*(field(name, str(value)) for name, value in said.items()), *needed)


@pytest.mark.parametrize("operation", REQUESTS)
def test_no_body_holds_what_litellm_takes(operation: Operation) -> None:
    assert decode(asked(operation), operation).further == frozenset()
    for name in sorted(names() - PARAMETERS[operation].keys() - {"model"}):
        request = asked(operation, **{name: "http://canary.example/steal"})
        if may_be_allowed(name):
            assert decode(request, operation).further == {name}, "only what a model allows goes on"
        else:
            with pytest.raises(InvalidArgument) as refused:
                decode(request, operation)
            assert refused.value.field in (name, "body")


HEARD = Operation.TRANSCRIPTIONS
STRANGE = [
    form(field("model", "m"), field("model", "n"), file()),
    form(field("model", "m"), field("model[]", "n"), file()),
    form(field("model[x]", "m"), file()),
    form(file("model"), file()),
    form(field("model", "m"), file(), end=b""),
    form(field("model", "m"), ("Content-Disposition: form-data", b"x"), file()),
    form(field("model", "m"), ("X: y", b"x"), file()),
    form(
        field("model", "m"),
        (file()[0] + "\r\nContent-Transfer-Encoding: base64", b"eA=="),
    ),
    form(field("model", "m"), (file()[0] + "\r\nContent-Disposition: form-data; name=x", b"x")),
    form(field("model", "m"), file(), *[field(f"x{i}", "") for i in range(300)]),
    form(field("model", "m"), (file()[0] + "\r\nX: " + "y" * 9000, b"x")),
    HttpRequest("POST", "/", "", {b"content-type": b"multipart/form-data"}, form(file()).body),
    HttpRequest("POST", "/", "", {b"content-type": b"application/json"}, b'{"model": "m"}'),
    HttpRequest("POST", "/", "", form(file()).headers, b"preamble" + form(file()).body),
]


@pytest.mark.parametrize("request_", STRANGE, ids=range(len(STRANGE)))
def test_a_strange_form_is_refused(request_: HttpRequest) -> None:
    with pytest.raises(InvalidArgument):
        decode(request_, HEARD)


NAMES = [
    "../../etc/passwd",
    "a\r\nX: y.mp3",
    'a"; name="model',
    "é\u202egpj.exe",
    "." * 300,
    "a" * 300 + ".mp3",
    "",
]


@pytest.mark.parametrize("name", NAMES)
def test_a_files_name_is_a_name_and_nothing_else(name: str) -> None:
    shown = cleaned(name)
    assert 0 < len(shown) <= 120
    assert shown.isascii()
    assert not set(shown) & set('/\\"\r\n:; ')
    assert not shown.startswith(".")


@given(
    st.binary(max_size=2000),
    st.text(max_size=50),
    st.dictionaries(st.sampled_from(["temperature", "n"]), st.floats(0, 1)),
)
def test_what_is_sent_is_cut_by_others_as_by_us(
    content: bytes, model: str, further: dict[str, float]
) -> None:
    """The standard library's parser finds the same parts, whatever the file holds."""
    sent = (
        decode(form(field("model", "mine"), (file()[0], content), field("language", "en")), HEARD)
        if content and MARK.encode() not in content
        else None
    )
    if sent is None or sent.original is None or sent.original.model_at is None:
        return
    kind = dict(sent.original.headers)["content-type"]
    body = form_named(sent.original.body, sent.original.model_at, model, further)
    ours = [(part.name, part.value) for part in read_form(body, kind)]
    message = BytesParser(policy=HTTP).parsebytes(b"Content-Type: " + kind.encode() + b"\r\n\r\n" + body)
    theirs = [part.get_param("name", header="content-disposition") for part in message.iter_parts()]
    assert [name for name, _ in ours] == theirs
    assert dict(ours)["model"] == model.encode()
    assert dict(ours)["file"] == content
    assert set(dict(ours)) == {"model", "file", "language", *further}


def test_no_boundary_of_the_clients_goes_out() -> None:
    first, second = write_form(()), write_form(())
    assert first.content_type != second.content_type
