"""The API server and pydantic agree on every manifest under `testdata/`, and say the same.

A file's head says what both must answer to an invalid one: `field`, and the exact `message` of a rule, or
what each says of a plain schema fault (`server`, `pydantic`). Two documents: the second updates the first.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from scripts.kubernetes.control_plane import ControlPlane, control_plane
from scripts.kubernetes.platform import NAMESPACE, admin, install_crds, manifests, path_of
from voyager_llm.definitions.crd.manifests import definition_of
from voyager_llm.definitions.crd.resources import RESOURCES, Resource
from voyager_llm.definitions.crd.rules import RULES
from voyager_llm.definitions.kube import client as kube
from voyager_llm.errors import InvalidArgument

DATA = Path(__file__).parent / "testdata"
FILES = sorted(DATA.rglob("*.yaml"))
BY_NAME = {resource.kind: resource for resource in RESOURCES}


@pytest.fixture(scope="module")
def plane(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlane]:
    with control_plane(tmp_path_factory.mktemp("plane")) as running:
        yield running


@pytest.fixture(scope="module")
async def api(plane: ControlPlane) -> AsyncIterator[kube.KubeApi]:
    opened = admin(plane)
    await install_crds(opened)
    yield opened
    await opened.close()


def head(path: Path) -> dict[str, str]:
    return dict(re.findall(r"^# (\w+): (.*)$", path.read_text(), re.MULTILINE))


def files(prefix: str) -> list[Any]:
    return [pytest.param(p, id=f"{p.parent.name}/{p.stem}") for p in FILES if p.stem.startswith(prefix)]


async def submit(api: kube.KubeApi, documents: list[dict[str, Any]]) -> dict[str, Any]:
    """Create the first, update to the others; strict about unknown fields, as kubectl is."""
    resource = BY_NAME[documents[0]["kind"]]
    path = path_of(resource.definition)
    name = documents[0]["metadata"]["name"]
    try:
        await api.delete(path, name)
    except kube.KubeError as error:
        if error.status != 404:
            raise
    stored = await api.create(path, documents[0], strict=True)
    for document in documents[1:]:
        document["metadata"]["resourceVersion"] = stored["metadata"]["resourceVersion"]
        stored = await api.replace(path, document)
    return stored


def refused_update(resource: Resource, old: dict[str, Any], new: dict[str, Any]) -> str:
    """What pydantic alone cannot see: rules between the old object and the new one."""
    return resource.update_fault(old["spec"], new["spec"])


@pytest.mark.parametrize("path", files("valid"))
async def test_both_accept(api: kube.KubeApi, path: Path) -> None:
    documents = manifests(path)
    stored = await submit(
        api, [{**d, "metadata": {**d["metadata"], "namespace": NAMESPACE}} for d in documents]
    )
    for document in [*documents, stored]:
        definition_of(BY_NAME[document["kind"]], document)


@pytest.mark.parametrize("path", files("invalid"))
async def test_both_refuse(api: kube.KubeApi, path: Path) -> None:
    expected = head(path)
    documents = manifests(path)
    with pytest.raises(kube.KubeError) as refused:
        await submit(api, documents)
    error = refused.value
    message = expected.get("message") or expected["server"]
    faults = [f"{field}: {text}" for field, text in error.causes] or [error.message]
    if "message" in expected:
        assert any(f.startswith(f"{expected['field']}: ") and f.endswith(f": {message}") for f in faults), (
            faults
        )
    else:
        assert any(expected["field"] in fault and message in fault for fault in faults), faults
    resource = BY_NAME[documents[-1]["kind"]]
    if len(documents) == 2:
        definition_of(resource, documents[0])
        assert refused_update(resource, *documents) == message
    else:
        with pytest.raises(InvalidArgument) as invalid:
            definition_of(resource, documents[0])
        assert (expected.get("message") or expected["pydantic"]) in invalid.value.message


def test_every_rule_has_a_bad_manifest() -> None:
    """A rule without one could be wrong, and nobody would know."""
    said = {head(path).get("message", "") for path in FILES}
    for owner, rules in RULES.items():
        for rule in rules:
            fixed = rule.message or re.findall(r"'((?:[^'])*)'|\"((?:[^\"])*)\"", rule.message_expression)[0]
            text = fixed if isinstance(fixed, str) else max(fixed, key=len)
            assert any(text in message for message in said), f"{owner}: {rule.cel}"


@pytest.mark.parametrize("path", files("valid_specification"))
async def test_the_specification_applies_status_included(api: kube.KubeApi, path: Path) -> None:
    """Byte for byte: the spec by apply, the status by its subresource."""
    (document,) = manifests(path)
    resource = BY_NAME[document["kind"]]
    where = path_of(resource.definition)
    applied = await api.apply(where, document, "kubectl")
    assert applied["spec"] == document["spec"]
    written = await api.apply(where, document, "kubectl", subresource="status")
    assert written["status"] == document["status"]
    resource.status.model_validate(written["status"])


async def test_names_and_columns(api: kube.KubeApi) -> None:
    """Short names, categories, selectable fields and printer columns are served."""
    group = await api.get(kube.Path("/apis/llm.voyager.io", "v1"), "")
    served = {entry["name"]: entry for entry in group["resources"]}
    for resource in RESOURCES:
        entry = served[resource.plural]
        assert entry["shortNames"] == [resource.short]
        assert entry["categories"] == ["llm", "voyager"]
        assert f"{resource.plural}/status" in served
    table = await api.table(path_of(RESOURCES[0].definition))
    assert [c["name"] for c in table["columnDefinitions"]][:3] == ["Name", "Provider", "Model"]
