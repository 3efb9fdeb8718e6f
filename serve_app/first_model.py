"""Defines `local`, the embedded model, so that a new service has something to ask. Used by `launch.py`."""

from __future__ import annotations

import asyncio
import os

import httpx

from deployments.secrets.places import secrets_of
from serve_app.embedded_llm import CONTEXT_TOKENS, MODEL_NAME, SECRET, EmbeddedLLM
from voyager_llm.errors import VoyagerError
from voyager_llm.settings import Settings

FIRST_MODEL = "local"


def define_first_model(config: Settings, url: str, embedded: EmbeddedLLM) -> str:
    """Create the model, or point it to where it runs now: its port changes with every start.

    Returns why that failed; empty when it did not."""
    where = {
        "endpoints": {"primary": embedded.url},
        "authentication": {"type": "bearer_token", "secret_ref": SECRET},
    }
    model = {
        "name": FIRST_MODEL,
        "provider": "custom",
        "model_name": MODEL_NAME,
        "capabilities": ["text_generation"],
        "parameters": {"max_tokens": 256},
        "cost": {"input_token_cost": 0, "output_token_cost": 0},
        "context_length": CONTEXT_TOKENS,
        **where,
    }
    headers = {"x-voyager-user": "voyager-llm", **_authorization(config)}
    try:
        with httpx.Client(base_url=url, headers=headers, timeout=10) as client:
            answer = client.post("/api/v1/models", json=model)
            if answer.status_code == 409:
                answer = client.patch(f"/api/v1/models/{FIRST_MODEL}", json=where)
    except httpx.HTTPError as error:
        return str(error) or type(error).__name__
    return answer.text if answer.is_error else ""


def _authorization(config: Settings) -> dict[str, str]:
    """The key that clients must present, from where the service has it, too."""
    key = os.environ.get("VOYAGER_CLIENT_KEY", "")
    if not key and config.api_key is not None:
        try:
            key = asyncio.run(secrets_of(config).get(config.api_key))
        except VoyagerError:
            return {}
    return {"authorization": f"Bearer {key}"} if key else {}
