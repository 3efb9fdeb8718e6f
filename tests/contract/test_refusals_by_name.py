"""What is refused is named as the request itself names it; what is still used is not deleted."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from google.protobuf.field_mask_pb2 import FieldMask

from tests.support.service import LocalService
from voyager_llm.domain.request import Principal, RequestContext, Trace
from voyager_llm.errors import InvalidArgument
from voyager_llm.v1 import evaluations_pb2, models_pb2, prompts_pb2, routes_pb2

MODEL = {"name": "m", "provider": "custom", "model_name": "x", "endpoints": {"primary": "http://127.0.0.1:9"}}
PROMPT = {"name": "p", "version": "1.0.0", "template": "hi"}
ROUTE = {"name": "r", "targets": [{"model": "m"}]}
METRIC = {"name": "accuracy", "weight": 1.0, "measurement": "exact_match"}
EVALUATION = {"name": "e", "model_ref": {"name": "m"}, "prompt_ref": {"name": "p"}, "metrics": [METRIC]}
KINDS: dict[str, Any] = {
    "models/m": MODEL,
    "prompts/p": PROMPT,
    "routes/r": ROUTE,
    "evaluations/e": EVALUATION,
}


@pytest.fixture
async def filled(local: LocalService) -> LocalService:
    """With one definition of each kind."""
    for path, document in KINDS.items():
        answer = await local.http.post(f"/api/v1/{path.split('/')[0]}", json=document)
        assert answer.status_code == 201, answer.text
    return local


def field(answer: httpx.Response) -> str:
    for detail in answer.json()["details"]:
        for violation in detail.get("field_violations", ()):
            return violation["field"]
    return ""


UNKNOWN = ["nope", "name.nope", "Nope", "__x", "etag.x", "a,b", "endpoints.nope", "targets.model.x",
           "model_ref.nope", "metrics.name", "model_requirements.nope", "template.x", ".",
           "name,"]  # fmt: skip


@pytest.mark.parametrize("path", KINDS)
@pytest.mark.parametrize("mask", UNKNOWN)
async def test_an_unknown_path_of_a_mask_is_refused_by_name(
    filled: LocalService, path: str, mask: str
) -> None:
    before = (await filled.http.get(f"/api/v1/{path}")).json()
    answer = await filled.http.patch(f"/api/v1/{path}", params={"update_mask": mask}, json=KINDS[path])
    assert (answer.status_code, field(answer)) == (400, "update_mask"), answer.text
    named = [step for step in mask.split(",") if step != "name"]
    assert any(step in answer.json()["message"] for step in named)
    assert (await filled.http.get(f"/api/v1/{path}")).json() == before


@pytest.mark.parametrize(
    ("rpc", "message", "kind"),
    [
        ("UpdateModel", models_pb2.UpdateModelRequest, "model"),
        ("UpdatePrompt", prompts_pb2.UpdatePromptRequest, "prompt"),
        ("UpdateRoute", routes_pb2.UpdateRouteRequest, "route"),
        ("UpdateEvaluation", evaluations_pb2.UpdateEvaluationRequest, "evaluation"),
    ],
)
async def test_so_it_is_over_grpc(filled: LocalService, rpc: str, message: Any, kind: str) -> None:
    ctx = RequestContext(Principal("ada"), Trace("t"))
    for mask in (["nope"], ["name", "nope"], [""], ["*", "name"]):
        request = message(name=kind[0], update_mask=FieldMask(paths=mask))
        with pytest.raises(InvalidArgument) as refused:
            await filled.replica.handlers[rpc](request, ctx)  # pyright: ignore[reportGeneralTypeIssues]
        assert refused.value.field == "update_mask"


async def test_a_star_replaces_the_whole(filled: LocalService) -> None:
    await filled.http.patch("/api/v1/models/m", json={"capabilities": ["vision"], "context_length": 10})
    document = {name: value for name, value in MODEL.items() if name != "name"}
    answer = await filled.http.patch("/api/v1/models/m", params={"update_mask": "*"}, json=document)
    assert answer.status_code == 200, answer.text
    assert "capabilities" not in answer.json()["model"] or not answer.json()["model"]["capabilities"]
    assert "context_length" not in answer.json()["model"]
    other = {**MODEL, "name": "other"}
    renamed = await filled.http.patch("/api/v1/models/m", params={"update_mask": "*"}, json=other)
    assert (renamed.status_code, field(renamed)) == (400, "name")


@pytest.mark.parametrize("mask", ["model_name", "modelName"])
async def test_a_path_may_be_written_as_json_writes_it(filled: LocalService, mask: str) -> None:
    answer = await filled.http.patch(
        "/api/v1/models/m", params={"update_mask": mask}, json={"model_name": "y"}
    )
    assert answer.json()["model"]["model_name"] == "y"


async def test_an_empty_mask_changes_what_is_given(filled: LocalService) -> None:
    answer = await filled.http.patch("/api/v1/models/m", params={"update_mask": ""}, json={"model_name": "y"})
    assert answer.json()["model"]["model_name"] == "y"
    assert answer.json()["model"]["provider"] == "custom"


WRONG: list[tuple[str, str, Any, str]] = [
    ("POST", "/api/v1/models", {**MODEL, "nope": 1}, "nope"),
    ("POST", "/api/v1/models", {**MODEL, "endpoints": {"nope": 1}}, "endpoints.nope"),
    ("POST", "/api/v1/models?nope=1", MODEL, "nope"),
    ("POST", "/api/v1/routes", {"name": "x", "targets": [{"nope": 1}]}, "targets.0.nope"),
    ("PATCH", "/api/v1/models/m", {"nope": 1}, "nope"),
    ("PATCH", "/api/v1/models/m", {"endpoints": {"nope": 1}}, "endpoints.nope"),
    ("PATCH", "/api/v1/models/m", {"endpoints": {"primary": 1}}, "endpoints.primary"),
    ("PATCH", "/api/v1/models/m", {"model_name": 1}, "model_name"),
    ("PATCH", "/api/v1/models/m", {"cost": {"currency": 1}}, "cost.currency"),
    ("PATCH", "/api/v1/models/m?nope=1", {}, "nope"),
    ("GET", "/api/v1/models?nope=1", None, "nope"),
    ("GET", "/api/v1/models?update_mask=name", None, "update_mask"),
    ("GET", "/api/v1/models/m?nope=1", None, "nope"),
    ("DELETE", "/api/v1/models/m?nope=1", None, "nope"),
    ("POST", "/api/v1/models/m/completions", {"prompt": "x", "nope": 1}, "nope"),
    ("POST", "/api/v1/models/m/completions?nope=1", {"prompt": "x"}, "nope"),
    ("POST", "/api/v1/models/none/completions", {"prompt": "x"}, "model_name"),
    ("POST", "/api/v1/models/none/completions:stream", {"prompt": "x"}, "model_name"),
]


@pytest.mark.parametrize(("verb", "path", "body", "named"), WRONG)
async def test_what_is_wrong_is_named_as_the_client_names_it(
    filled: LocalService, verb: str, path: str, body: Any, named: str
) -> None:
    answer = await filled.http.request(verb, path, json=body)
    assert answer.status_code in (400, 404), answer.text
    assert field(answer) == named


async def test_openais_paths_take_query_parameters_that_clients_of_azure_send(filled: LocalService) -> None:
    assert (await filled.http.get("/v1/models?api-version=2024-10-21")).status_code == 200


async def test_what_an_evaluation_uses_is_not_deleted(filled: LocalService) -> None:
    refused = await filled.http.delete("/api/v1/prompts/p")
    assert (refused.status_code, refused.json()["code"]) == (409, 9)
    assert refused.json()["message"] == "name: evaluation e uses this prompt"
    refused = await filled.http.delete("/api/v1/models/m")
    assert refused.json()["message"] == "name: route r uses this model"
    assert (await filled.http.delete("/api/v1/routes/r")).status_code == 200
    refused = await filled.http.delete("/api/v1/models/m")
    assert refused.json()["message"] == "name: evaluation e uses this model"
    assert (await filled.http.delete("/api/v1/evaluations/e")).status_code == 200
    for path in ("prompts/p", "models/m"):
        assert (await filled.http.delete(f"/api/v1/{path}")).status_code == 200


async def test_a_route_that_an_evaluation_uses_is_not_deleted(filled: LocalService) -> None:
    changed = await filled.http.patch("/api/v1/evaluations/e", json={"model_ref": {"name": "r"}})
    assert changed.status_code == 200, changed.text
    refused = await filled.http.delete("/api/v1/routes/r")
    assert refused.json()["message"] == "name: evaluation e uses this route"


async def test_one_evaluation_of_many_is_found(filled: LocalService, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("voyager_llm.definitions.catalog._PAGE", 2)
    await filled.http.post("/api/v1/prompts", json={**PROMPT, "name": "q"})
    for number in range(5):
        evaluation = {**EVALUATION, "name": f"e{number}", "prompt_ref": {"name": "q"}}
        assert (await filled.http.post("/api/v1/evaluations", json=evaluation)).status_code == 201
    last = {"prompt_ref": {"name": "p"}}
    await filled.http.delete("/api/v1/evaluations/e")
    assert (await filled.http.patch("/api/v1/evaluations/e4", json=last)).status_code == 200
    refused = await filled.http.delete("/api/v1/prompts/p")
    assert refused.json()["message"] == "name: evaluation e4 uses this prompt"
