"""Many definitions in one request: all or none, in any order, with every fault named, by REST and by gRPC."""

from __future__ import annotations

import asyncio
import gzip
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import httpx
import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scripts.fake_provider.running import FakeProvider
from tests.support.service import LocalService, start
from voyager_llm.domain.bulk import MAX_FAULTS
from voyager_llm.domain.definition import Kind
from voyager_llm.domain.request import Principal, RequestContext, Trace
from voyager_llm.errors import InvalidArgument
from voyager_llm.v1 import bulk_pb2, models_pb2

PATH = "/api/v1/definitions:apply"
EVALUATION: dict[str, Any] = {
    "evaluation_type": "automated", "schedule": {"frequency": "daily"},
    "metrics": [{"name": "accuracy", "weight": 1.0, "measurement": "exact_match"}],
    "test_dataset": {"source": "set"},
    "thresholds": {"minimum_score": 0.5, "warning_score": 0.6, "target_score": 0.7},
}  # fmt: skip


def model(name: str, **fields: Any) -> dict[str, Any]:
    return {"name": name, "provider": "custom", "model_name": "fake",
            "endpoints": {"primary": "http://127.0.0.1:1/v1"}, **fields}  # fmt: skip


def prompt(name: str, version: str = "1.0.0", **fields: Any) -> dict[str, Any]:
    return {"name": name, "version": version, "template": "Say {{ what }}.",
            "parameters": [{"name": "what"}], **fields}  # fmt: skip


def route(name: str, *targets: str) -> dict[str, Any]:
    return {"name": name, "targets": [{"model": target} for target in targets]}


def evaluation(name: str, of: str, by: str) -> dict[str, Any]:
    return {"name": name, "model_ref": {"name": of}, "prompt_ref": {"name": by}, **EVALUATION}


async def apply(local: LocalService, **body: Any) -> httpx.Response:
    return await local.http.post(PATH, json=body, headers={"x-voyager-user": "ada"})


def faults(answer: httpx.Response) -> dict[str, tuple[str, str]]:
    """What is wrong, by field: the reason and the words."""
    violations = [v for detail in answer.json()["details"] for v in detail.get("field_violations", ())]
    return {fault["field"]: (fault["reason"], fault["description"]) for fault in violations}


async def test_definitions_of_all_kinds_refer_to_one_another_in_any_order(
    local: LocalService, provider: FakeProvider
) -> None:
    bundle = {
        "evaluations": [evaluation("e", "r", "p")],
        "routes": [route("r", "b", "a")],
        "prompts": [prompt("p")],
        "models": [model(name, endpoints={"primary": provider.profile("bulk")}) for name in ("a", "b")],
    }
    before = local.replica.snapshots.current.version
    answer = await apply(local, **bundle)
    assert answer.status_code == 200, answer.text
    body = answer.json()
    assert [(one["kind"], one["name"], one["outcome"]) for one in body["definitions"]] == [
        ("model", "a", "created"), ("model", "b", "created"), ("prompt", "p", "created"),
        ("route", "r", "created"), ("evaluation", "e", "created"),
    ]  # fmt: skip
    assert (body["created"], body["updated"], body["unchanged"], body["validate_only"]) == (5, 0, 0, False)
    assert local.replica.snapshots.current.version == before + 1  # one change for all of them
    assert (await local.chat("r")).status_code == 200
    stored = (await local.http.get("/api/v1/models/a")).json()["model"]
    told = body["definitions"][0]
    assert (stored["author"], stored["revision"], stored["etag"]) == ("ada", told["revision"], told["etag"])


async def test_the_same_again_changes_nothing_and_says_so(local: LocalService) -> None:
    bundle = {"models": [model("a"), model("b")], "prompts": [prompt("p")]}
    await apply(local, **bundle)
    version = local.replica.snapshots.current.version
    again = (await apply(local, **bundle)).json()
    assert (again["created"], again["updated"], again["unchanged"]) == (0, 0, 3)
    assert {one["revision"] for one in again["definitions"]} == {1}
    assert local.replica.snapshots.current.version == version
    bundle["models"][0] = model("a", capabilities=["json"])
    changed = (await apply(local, **bundle)).json()
    assert [one["outcome"] for one in changed["definitions"]] == ["updated", "unchanged", "unchanged"]
    assert changed["definitions"][0]["revision"] == 2


async def test_a_dry_run_says_what_would_change_and_changes_nothing(local: LocalService) -> None:
    await apply(local, models=[model("a"), model("b")])
    version = local.replica.snapshots.current.version
    bundle = {
        "models": [model("a"), model("b", capabilities=["json"]), model("c")],
        "routes": [route("r", "c")],
    }
    planned = (await apply(local, **bundle, validate_only=True)).json()
    assert planned["validate_only"]
    assert [one["outcome"] for one in planned["definitions"]] == [
        "unchanged",
        "updated",
        "created",
        "created",
    ]
    assert local.replica.snapshots.current.version == version
    assert (await local.http.get("/api/v1/models/c")).status_code == 404
    done = (await apply(local, **bundle)).json()
    assert done["definitions"] == planned["definitions"]


async def test_every_fault_is_told_with_its_item_and_field_and_nothing_is_written(
    local: LocalService,
) -> None:
    await apply(local, models=[model("old")], prompts=[prompt("p")])
    stale = (await local.http.get("/api/v1/models/old")).json()["model"]["etag"]
    await apply(local, models=[model("old", capabilities=["json"])])
    version = local.replica.snapshots.current.version
    answer = await apply(
        local,
        models=[
            model("good"),
            model("bad", endpoints={"primary": "no address"}),
            model("good"),
            {**model("old"), "etag": stale},
            model("taken"),
        ],
        prompts=[prompt("p", template="Shout {{ what }}!"), prompt("q", template="{{ what")],
        routes=[route("r", "good", "nowhere"), route("taken", "good"), route("of-bad", "bad")],
        evaluations=[evaluation("e", "good", "nothing")],
    )
    assert answer.status_code == 400
    found = faults(answer)
    assert {field: reason for field, (reason, _) in found.items()} == {
        "models[1].endpoints.primary": "INVALID_ARGUMENT",
        "models[2].name": "ALREADY_EXISTS",
        "models[3].etag": "VERSION_CONFLICT",
        "models[4].name": "FAILED_PRECONDITION",
        "prompts[0].version": "VERSION_CONFLICT",
        "prompts[1].template": "TEMPLATE_INVALID",
        "routes[0].targets": "FAILED_PRECONDITION",
        "routes[1].name": "FAILED_PRECONDITION",
        "evaluations[0].prompt_ref": "FAILED_PRECONDITION",
    }
    assert "models[0] has this name already" in found["models[2].name"][1]
    assert "nowhere" in found["routes[0].targets"][1]
    assert answer.json()["message"].startswith(
        "nothing was written, for 9 faults: models[1].endpoints.primary: "
    )
    assert local.replica.snapshots.current.version == version
    assert (await local.http.get("/api/v1/models/good")).status_code == 404


async def test_where_others_were_faster_the_error_says_so(local: LocalService) -> None:
    """Nothing is invalid: whoever reads anew and tries again succeeds, as with single writes."""
    await apply(local, models=[model("a")])
    answer = await apply(local, models=[{**model("a", capabilities=["json"]), "etag": "1-000000000000"}])
    assert answer.status_code == 409
    assert list(faults(answer)) == ["models[0].etag"]


async def test_faults_are_told_up_to_a_bound_and_all_are_counted(local: LocalService) -> None:
    many = MAX_FAULTS + 30
    answer = await apply(local, models=[model(f"m{n}", provider="nobody") for n in range(many)])
    assert len(faults(answer)) == MAX_FAULTS
    assert f"for {many} faults" in answer.json()["message"]


async def test_what_is_not_of_the_messages_form_is_told_by_item_too(local: LocalService) -> None:
    answer = await apply(
        local, models=[model("a"), model("b", parameters={"max_tokens": "many"}), 7], routes=[{"x": 1}]
    )
    assert answer.status_code == 400
    assert set(faults(answer)) == {"models[1].parameters.max_tokens", "models[2]", "routes[0].x"}
    for body, field in (
        ({"models": {}}, "models"),
        ({"modules": []}, "modules"),
        ({"models": "x"}, "models"),
    ):
        refused = await local.http.post(PATH, json=body)
        assert refused.status_code == 400
        assert set(faults(refused)) == {field}
    for body in ({}, {"models": []}):
        refused = await local.http.post(PATH, json=body)
        assert "at least one" in refused.json()["message"]


async def test_a_large_body_comes_packed(local: LocalService) -> None:
    content = orjson.dumps({"models": [model(f"m{n}") for n in range(500)]})
    packed = {"content-encoding": "gzip"}
    answer = await local.http.post(PATH, content=gzip.compress(content), headers=packed)
    assert answer.json()["created"] == 500
    for body, headers in (
        (content, packed),
        (gzip.compress(content)[:-20], packed),
        (gzip.compress(content), {}),
        (gzip.compress(content), {"content-encoding": "br"}),
    ):
        assert (await local.http.post(PATH, content=body, headers=headers)).status_code == 400
    bomb = gzip.compress(b'{"models": [' + b" " * 40_000_000 + b"]}")
    assert (await local.http.post(PATH, content=bomb, headers=packed)).status_code == 413


async def test_grpc_does_the_same(local: LocalService) -> None:
    handler: Any = local.replica.handlers["ApplyDefinitions"]
    ctx = RequestContext(Principal("ada"), Trace("t"))
    known = models_pb2.Model(
        name="a", provider="custom", model_name="fake", endpoints={"primary": "http://127.0.0.1:1"}
    )
    done = await handler(bulk_pb2.ApplyDefinitionsRequest(models=[known]), ctx)
    assert (done.created, done.definitions[0].name, done.definitions[0].outcome) == (1, "a", "created")
    bad = models_pb2.Model(name="b", provider="nobody", model_name="fake")
    with pytest.raises(InvalidArgument) as caught:
        await handler(bulk_pb2.ApplyDefinitionsRequest(models=[known, bad]), ctx)
    assert [fault.field for fault in caught.value.faults] == ["models[1].provider"]


async def test_who_leaves_undoes_nothing(local: LocalService) -> None:
    """Cancelled at any moment, all is there or nothing is, in the store and in force alike."""
    started = time.monotonic()
    await apply(local, models=[model(f"first-{n}") for n in range(50)])
    took = time.monotonic() - started
    for part in range(40):
        bundle = {"models": [model(f"m{part}-{n}") for n in range(50)]}
        asked = asyncio.create_task(apply(local, **bundle))
        await asyncio.sleep(took * part / 40)
        asked.cancel()
        await asyncio.wait([asked])
        held = await _settled(local, f"m{part}")
        assert held in (0, 50)
        stored = await local.catalog.page(Kind.MODEL, f"m{part}-", 50)
        assert sum(record.name.startswith(f"m{part}-") for record in stored) == held


async def _settled(local: LocalService, prefix: str) -> int:
    """How many are in force, once whatever was begun has ended: a write waits for those before it."""
    await local.model(f"{prefix}after", "http://127.0.0.1:1/v1")
    return sum(name.startswith(f"{prefix}-") for name in local.replica.snapshots.current.models)


names = st.sampled_from(["a", "b", "c"])
bundles = st.fixed_dictionaries(
    {
        "models": st.dictionaries(names, st.sampled_from(["x", "y"]), max_size=3),
        "routes": st.dictionaries(st.sampled_from(["r", "s", "a"]), names, max_size=2),
    }
)


@settings(max_examples=15)
@given(st.lists(bundles, min_size=1, max_size=6))
def test_a_bundle_is_taken_whole_or_not_at_all(history: list[dict[str, dict[str, str]]]) -> None:
    """Whatever is applied after whatever: what is in force, and what is stored, is what a plain dict says."""
    asyncio.run(_follow(history))


async def _follow(history: list[dict[str, dict[str, str]]]) -> None:
    with TemporaryDirectory() as folder:
        local = await start(Path(folder))
        models: dict[str, str] = {}
        routes: dict[str, str] = {}
        for bundle in history:
            answer = await apply(
                local,
                models=[model(name, capabilities=[content]) for name, content in bundle["models"].items()],
                routes=[route(name, target) for name, target in bundle["routes"].items()],
            )
            after = ({**models, **bundle["models"]}, {**routes, **bundle["routes"]})
            # Every target must exist, and no name stand for two things.
            is_sound = set(bundle["routes"].values()) <= after[0].keys() and not (
                bundle["routes"].keys() & after[0].keys() or bundle["models"].keys() & after[1].keys()
            )
            expected = 200 if is_sound and (bundle["models"] or bundle["routes"]) else 400
            assert answer.status_code == expected, answer.text
            if expected == 200:
                models, routes = after
            config = local.replica.snapshots.current
            assert {name: found.definition.capabilities[0] for name, found in config.models.items()} == models
            assert {name: found.targets[0].model for name, found in config.routes.items()} == routes
        stored = await local.catalog.page(Kind.MODEL, "", 100)
        assert {record.name: record.document["capabilities"][0] for record in stored} == models
        await local.close()
