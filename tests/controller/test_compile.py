"""Objects into one configuration: pure, so no cluster is needed."""

from __future__ import annotations

import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.cluster import Observed
from controller.compile import compile_cluster
from controller.serve_config import MOST_BYTES, ConfigError, load_base, user_config_in, with_definitions
from voyager_llm.definitions.bundle import Bundle, pack, unpack
from voyager_llm.definitions.crd.conditions import Reason
from voyager_llm.definitions.crd.manifests import NAME
from voyager_llm.definitions.shards import sharded
from voyager_llm.domain.definition import Kind


def manifest(name: str, spec: dict[str, Any], **metadata: Any) -> dict[str, Any]:
    return {"metadata": {"name": name, "uid": name, "generation": 1, **metadata}, "spec": spec}


def model(name: str, **spec: Any) -> dict[str, Any]:
    return manifest(name, {"provider": "openai", "model_name": "gpt-4", **spec})


def prompt(name: str, version: str = "1.0.0", template: str = "hi") -> dict[str, Any]:
    return manifest(name, {"version": version, "template": template})


def evaluation(name: str, model_name: str, prompt_name: str) -> dict[str, Any]:
    metrics = [{"name": "m", "weight": 1, "measurement": "keyword_coverage"}]
    return manifest(
        name, {"model_ref": {"name": model_name}, "prompt_ref": {"name": prompt_name}, "metrics": metrics}
    )


def route(name: str, *targets: str, **spec: Any) -> dict[str, Any]:
    return manifest(name, {"targets": [{"model": target} for target in targets], **spec})


# By a field that objects of the kind alone have.
_KINDS = {"metrics": "ModelEvaluation", "version": "PromptDefinition", "targets": "RouteDefinition"}


def observed(*objects: dict[str, Any]) -> Observed:
    kinds: dict[str, list[dict[str, Any]]] = {}
    for found in objects:
        spec = found["spec"]
        kind = next((kind for field, kind in _KINDS.items() if field in spec), "ModelDefinition")
        kinds.setdefault(kind, []).append(found)
    return Observed({kind: tuple(found) for kind, found in kinds.items()})


def test_a_bad_object_keeps_its_last_version_and_spares_the_others() -> None:
    good = compile_cluster(observed(model("a"), prompt("p")), Bundle())
    bad = compile_cluster(
        observed(model("a", provider="nobody"), model("b"), prompt("p", "1.1.0", "{{ x.__class__ }}")),
        good.bundle,
    )
    assert [entry.name for entry in bad.bundle.entries] == ["a", "b", "p"]
    assert bad.bundle.by_name[Kind.MODEL, "a"] == good.bundle.by_name[Kind.MODEL, "a"]
    verdict = bad.verdicts[Kind.MODEL, "a"]
    assert not verdict.accepted
    assert verdict.message.startswith("spec.provider: ")
    assert verdict.message.endswith("; the last good version stays in force")
    assert "spec.template" in bad.verdicts[Kind.PROMPT, "p"].message
    assert bad.verdicts[Kind.MODEL, "b"].accepted


def test_a_bad_new_object_is_left_out() -> None:
    compiled = compile_cluster(observed(model("a", model_name="")), Bundle())
    assert not compiled.bundle.entries
    assert compiled.verdicts[Kind.MODEL, "a"].reason is Reason.INVALID


def test_a_name_belongs_to_the_oldest() -> None:
    named = model("other")
    named["metadata"]["annotations"] = {NAME: "a"}
    compiled = compile_cluster(observed(model("a"), named), Bundle())
    assert compiled.verdicts[Kind.MODEL, "a"].accepted
    assert compiled.verdicts[Kind.MODEL, "other"].message == "ModelDefinition a has the name a already"


def test_missing_references_are_named() -> None:
    compiled = compile_cluster(
        observed(model("m"), prompt("p"), evaluation("e", "m", "p"), evaluation("f", "x", "p"),
                 evaluation("g", "m", "x")), Bundle(),
    )  # fmt: skip
    refs = {name: compiled.verdicts[Kind.EVALUATION, name].refs for name in "efg"}
    assert refs == {"e": Reason.RESOLVED, "f": Reason.MODEL_NOT_FOUND, "g": Reason.PROMPT_NOT_FOUND}


def test_a_route_is_in_force_with_the_models_that_exist() -> None:
    """Objects come in any order: a route may be there before its models, and outlive them."""
    compiled = compile_cluster(
        observed(model("a"), route("r", "a", "later", fallbacks=["gone"]), route("whole", "a")), Bundle()
    )
    verdict = compiled.verdicts[Kind.ROUTE, "r"]
    assert (verdict.accepted, verdict.refs) == (True, Reason.MODEL_NOT_FOUND)
    assert verdict.refs_message == "no ModelDefinition is named gone; the others are used"
    assert compiled.verdicts[Kind.ROUTE, "whole"].refs is Reason.RESOLVED
    assert [entry.name for entry in compiled.bundle.entries] == ["a", "r", "whole"]


def test_an_evaluation_may_be_of_a_route() -> None:
    compiled = compile_cluster(
        observed(model("m"), route("r", "m"), prompt("p"), evaluation("e", "r", "p")), Bundle()
    )
    assert compiled.verdicts[Kind.EVALUATION, "e"].refs is Reason.RESOLVED


def test_a_model_and_a_route_do_not_share_a_name() -> None:
    compiled = compile_cluster(observed(model("a"), model("b"), route("a", "b")), Bundle())
    refused = compiled.verdicts[Kind.ROUTE, "a"]
    assert (refused.accepted, refused.reason) == (False, Reason.NAME_TAKEN)
    assert refused.message == "ModelDefinition a is called 'a' already"
    assert (Kind.ROUTE, "a") not in compiled.bundle.by_name


def test_the_author_is_who_wrote_the_spec() -> None:
    fields = [
        {"manager": "kubectl", "time": "2026-01-01T00:00:00Z", "fieldsV1": {"f:spec": {}}},
        {"manager": "argocd", "time": "2026-02-01T00:00:00Z", "fieldsV1": {"f:spec": {}}},
        {"manager": "voyager", "time": "2026-03-01T00:00:00Z", "subresource": "status", "fieldsV1": {}},
    ]
    found = manifest("a", {"provider": "openai", "model_name": "x"}, managedFields=fields)
    (entry,) = compile_cluster(observed(found), Bundle()).bundle.entries
    assert entry.author == "argocd"


names = st.lists(st.sampled_from("abcdefgh"), unique=True, max_size=8)


@given(names, st.randoms())
def test_the_order_of_objects_means_nothing(found: list[str], chance: random.Random) -> None:
    objects = [model(name) for name in found] + [prompt(name) for name in found]
    first = compile_cluster(observed(*objects), Bundle()).bundle
    chance.shuffle(objects)
    again = compile_cluster(observed(*objects), Bundle()).bundle
    assert first.content == again.content
    assert sharded(first) == sharded(again)


def test_the_definitions_come_back_out_of_the_configuration() -> None:
    bundle = compile_cluster(observed(model("a"), prompt("p")), Bundle()).bundle
    text = with_definitions(load_base(), pack(bundle))
    assert unpack(user_config_in(text) or {}) == bundle
    assert text == with_definitions(load_base(), pack(bundle))
    for unreadable in ("", "applications: [", "applications: []"):
        assert user_config_in(unreadable) is None
    assert user_config_in(with_definitions(load_base(), {})) == {}


def test_a_base_too_large_for_the_cluster_is_refused() -> None:
    base = {**load_base(), "filler": "x" * MOST_BYTES}
    with pytest.raises(ConfigError, match="shorten its base"):
        with_definitions(base, {})
