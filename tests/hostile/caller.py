"""Calls the service over gRPC and HTTP, and says of each call whether it was admitted.

`python -m tests.hostile.caller GRPC_ADDRESS HTTP_ADDRESS [KEY]`; a program, since `test_listening.py` runs it
in another network namespace.
"""

from __future__ import annotations

import json
import secrets
import sys
from typing import Any

import grpc
import httpx

from voyager_llm.v1 import completions_pb2, models_pb2
from voyager_llm.v1.model_manager_pb2_grpc import ModelManagerStub


def main(grpc_address: str, http_address: str, key: str = "") -> dict[str, str]:
    """The calls by name, each ``admitted`` or ``refused``."""
    name = f"strangers-{secrets.token_hex(4)}"
    model = {"provider": "custom", "model_name": "any", "endpoints": {"primary": "http://127.0.0.1:9"}}
    headers = {"authorization": f"Bearer {key}"} if key else {}
    outcomes: dict[str, str] = {}
    with grpc.insecure_channel(grpc_address) as channel:
        stub = ModelManagerStub(channel)
        calls: dict[str, tuple[Any, Any]] = {
            "ListModels": (stub.ListModels, models_pb2.ListModelsRequest()),
            "CreateModel": (
                stub.CreateModel,
                models_pb2.CreateModelRequest(name=f"{name}-grpc", provider="custom", model_name="any"),
            ),
            "GenerateCompletion": (
                stub.GenerateCompletion,
                completions_pb2.GenerateCompletionRequest(model_name="none"),
            ),
        }
        for called, (call, message) in calls.items():
            try:
                call(message, metadata=tuple(headers.items()), timeout=10)
                code = grpc.StatusCode.OK
            except grpc.RpcError as error:
                code = error.code()
            outcomes[called] = _outcome(code is grpc.StatusCode.UNAUTHENTICATED)
    with httpx.Client(base_url=f"http://{http_address}", headers=headers, timeout=10) as client:
        answers = {
            "GET /api/v1/models": client.get("/api/v1/models"),
            "POST /api/v1/models": client.post("/api/v1/models", json={"name": name, **model}),
            "POST /v1/chat/completions": client.post("/v1/chat/completions", json={"model": "none"}),
        }
    return outcomes | {called: _outcome(answer.status_code == 401) for called, answer in answers.items()}


def _outcome(refused: bool) -> str:
    return "refused" if refused else "admitted"


if __name__ == "__main__":
    print(json.dumps(main(*sys.argv[1:])))  # noqa: T201
