"""Which provider LiteLLM would take a model's name to. LiteLLM is asked itself: its rules change with
releases.

Used by the import of LiteLLM's configurations (`serve_app/commands/litellm/providers.py`).
"""

from __future__ import annotations

from dataclasses import dataclass

import litellm
from litellm.constants import openai_compatible_providers
from litellm.litellm_core_utils.get_llm_provider_logic import (
    declared_authenticating_provider,
    get_llm_provider,
)
from litellm.llms.openai_like.json_loader import JSONProviderRegistry


@dataclass(frozen=True, slots=True)
class Inferred:
    """What LiteLLM makes of a name."""

    provider: str
    model_name: str
    # Where a provider is that speaks OpenAI's protocol; empty: it does not, or LiteLLM does not say.
    address: str = ""


def inferred(model: str, provider: str = "", api_base: str = "") -> Inferred | None:
    """The provider of a model's name; None: LiteLLM would refuse it. ``provider``: one that is given
    beside it."""
    if declared_authenticating_provider(model, provider or None):
        return None  # LiteLLM would have somebody sign in
    before, litellm.suppress_debug_info = litellm.suppress_debug_info, True
    try:
        name, found, _, base = get_llm_provider(model, provider or None, api_base or None)
    except litellm.exceptions.BadRequestError:
        return None
    finally:
        litellm.suppress_debug_info = before
    listed = JSONProviderRegistry.get(found)
    if listed is not None:
        # The address that LiteLLM returns may be one of this process' environment.
        base = api_base or listed.base_url
    return Inferred(found, name, base or "" if listed or found in openai_compatible_providers else "")
