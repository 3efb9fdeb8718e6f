"""What the .proto files declare, gRPC and REST answer: no RPC is missing on a wire, or of another kind."""

from __future__ import annotations

import inspect

import pytest
from google.protobuf.descriptor import MethodDescriptor
from google.protobuf.field_mask_pb2 import FieldMask

from deployments.ingress.rpc.codec import mask_of
from deployments.ingress.rpc.definitions import EVALUATIONS, MODELS, PROMPTS, ROUTES, Resource
from deployments.ingress.rpc.methods import GrpcMethods
from deployments.ingress.rpc.service import RPCS
from voyager_llm.errors import InvalidArgument
from voyager_llm.v1 import models_pb2, prompts_pb2


@pytest.mark.parametrize("rpc", RPCS, ids=lambda rpc: rpc.name)
def test_serve_finds_a_method_of_the_right_kind_for_each_rpc(rpc: MethodDescriptor) -> None:
    method = getattr(GrpcMethods, rpc.name)
    assert method.__name__ == rpc.name
    assert "grpc_context" in inspect.signature(method).parameters
    assert inspect.isasyncgenfunction(method) == rpc.server_streaming


@pytest.mark.parametrize("resource", [MODELS, PROMPTS, ROUTES, EVALUATIONS], ids=lambda row: row.noun)
def test_a_kinds_row_names_what_its_messages_have(resource: Resource) -> None:
    fields = resource.message(resource.noun).DESCRIPTOR.fields_by_name
    asked = resource.message(f"Get{resource.noun}Request").DESCRIPTOR.fields_by_name
    created = resource.message(f"Create{resource.noun}Request").DESCRIPTOR.fields_by_name
    assert f"{resource.field}_id" in fields
    assert ("version" if resource.is_versioned else "revision") in asked
    assert (resource.field in created) != resource.is_flat


@pytest.mark.parametrize(
    "path", ["version", "parameters", "parameters.temperature", "parameters.extra.top_k", "capabilities"]
)
def test_a_mask_names_fields_of_the_message(path: str) -> None:
    assert mask_of(FieldMask(paths=[path]), models_pb2.Model) == [path]


@pytest.mark.parametrize(
    "path", ["", "no_such", "Version", "parameters.no_such", "version.x", "capabilities.x", "x" * 10_000]
)
def test_a_mask_of_anything_else_is_refused_by_its_name(path: str) -> None:
    with pytest.raises(InvalidArgument, match="update_mask") as caught:
        mask_of(FieldMask(paths=[path]), models_pb2.Model)
    assert path[:100] in caught.value.message
    assert len(caught.value.message) < 200


def test_a_mask_of_what_the_service_writes_is_refused() -> None:
    with pytest.raises(InvalidArgument, match="author cannot be changed"):
        mask_of(FieldMask(paths=["author"]), prompts_pb2.Prompt)
