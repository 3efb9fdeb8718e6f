"""Keys as references to secrets; a key that stands in the file is written nowhere. Used by `models.py`."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from serve_app.commands.litellm.names import valid
from serve_app.commands.litellm.notes import Notes, Place
from serve_app.commands.litellm.source import Node
from serve_app.commands.litellm.values import REFERENCE, names_a_secret
from voyager_llm.domain.model import SecretRef
from voyager_llm.domain.providers import PROVIDERS
from voyager_llm.settings import variable_of

# What people write for a server that asks for no key.
_NO_KEY = frozenset(
    {"", "none", "null", "empty", "na", "n/a", "dummy", "dummy-key", "fake", "fake-key", "no-key",
     "not-needed", "no-key-required", "not-required", "anything", "any", "-"}
)  # fmt: skip
# Where LiteLLM looks for a key that a model lacks; of the others, PROVIDER_API_KEY.
_VARIABLES = {
    "bedrock": "AWS_BEARER_TOKEN_BEDROCK",
    "cohere_chat": "COHERE_API_KEY",
    "azure_text": "AZURE_API_KEY",
    "fireworks_ai": "FIREWORKS_API_KEY",
    "meta_llama": "LLAMA_API_KEY",
    "perplexity": "PERPLEXITYAI_API_KEY",
    "scaleway": "SCW_SECRET_KEY",
    "together_ai": "TOGETHERAI_API_KEY",
    "vertex_ai": "GOOGLE_APPLICATION_CREDENTIALS",
    "watsonx_text": "WATSONX_API_KEY",
}
# Those that take this machine's own identity where no key is given.
_AMBIENT = ("bedrock", "sagemaker", "sagemaker_chat", "vertex_ai", "vertex_ai_beta")
# Whose secret may be the name of a file with an account.
_ACCOUNTS = ("vertex_ai", "vertex_ai_beta")
_OPEN = ("ollama", "ollama_chat")
_KEY = "api_key"


@dataclass(slots=True)
class Secrets:
    """References of one import; the same key is one secret, however many models have it."""

    notes: Notes
    # By a key that stands in the file, which leaves this object never.
    _literal: dict[str, SecretRef] = field(default_factory=dict[str, SecretRef], repr=False)
    _told: set[SecretRef] = field(default_factory=set[SecretRef])
    _never: set[str] = field(default_factory=set[str], repr=False)

    def keep_out(self, node: Node, name: str = "") -> None:
        """Remember what stands in the file under names of secrets, so that nothing of it is repeated."""
        for inner, child in node.fields.items():
            self.keep_out(child, inner)
        for item in node.items:
            self.keep_out(item, name)
        text = node.scalar
        is_secret = names_a_secret(name) and isinstance(text, str) and len(text) >= _SHORTEST
        if is_secret and not str(text).startswith(REFERENCE):
            self._never.add(str(text))

    def holds(self, text: str) -> bool:
        """Whether ``text`` contains a secret that stands in the file."""
        return any(secret in text for secret in self._never)

    def authentication(
        self, model: str, provider: str, key: Node | None, entry: Place, *, elsewhere: bool
    ) -> dict[str, object]:
        """How a model says who calls. ``elsewhere``: it is called at an address of its own."""
        if not PROVIDERS[provider].key_argument:
            return {}
        text = "" if key is None or key.scalar is None else str(key.scalar).strip()
        if key is not None and key.scalar is None and not key.is_null:
            # Credentials written as a mapping.
            return self._reference(provider, self._of_literal(model, repr(key.plain()), key.place))
        place = key.place if key is not None else entry
        if text.startswith(REFERENCE):
            return self._reference(provider, self._of_variable(model, text.removeprefix(REFERENCE), place))
        if provider in _ACCOUNTS and text.endswith(".json"):
            return self._reference(
                provider, self._of_literal(model, text, place, "what the file holds that it names")
            )
        if text.lower() not in _NO_KEY:
            return self._reference(provider, self._of_literal(model, text, place))
        if elsewhere or provider in _OPEN:
            return {}
        if provider in _AMBIENT:
            self.notes.todo(
                entry, model, "has no key: it uses the service's own identity; give its processes one"
            )
            return {}
        variable = _VARIABLES.get(provider, f"{re.sub(r'[^A-Z0-9]', '_', provider.upper())}_API_KEY")
        return self._reference(provider, self._of_variable(model, variable, place, unsaid=True))

    def _of_variable(self, model: str, variable: str, place: Place, *, unsaid: bool = False) -> SecretRef:
        reference = SecretRef(name=_name(variable), key=_KEY)
        why = f"the value of {variable[:80]}" + (
            ", where LiteLLM looks for a key that is not given" if unsaid else ""
        )
        self._provide(model, reference, why, place)
        return reference

    def _of_literal(
        self, model: str, key: str, place: Place, source: str = "the key that stands in the file"
    ) -> SecretRef:
        reference = self._literal.get(key)
        if reference is None:
            reference = self._literal[key] = SecretRef(name=_name(f"{model}-key"), key=_KEY)
        self._provide(model, reference, source, place)
        return reference

    def _provide(self, model: str, reference: SecretRef, source: str, place: Place) -> None:
        if reference in self._told:
            return
        self._told.add(reference)
        where = f"set {variable_of(reference)} (or mount {reference.name}/{reference.key})"
        self.notes.todo(place, f"the secret {reference.name}, for {model}", f"{where} to {source}")

    def _reference(self, provider: str, reference: SecretRef) -> dict[str, object]:
        kind = "api_key" if provider.startswith("azure") else "bearer_token"
        return {"type": kind, "secret_ref": {"name": reference.name, "key": reference.key}}


# What is shorter may be found in any text.
_SHORTEST = 16


def _name(text: str) -> str:
    plain = re.sub(r"[^a-z0-9-]+", "-", valid(text).lower().replace("_", "-"))
    return re.sub(r"-{2,}", "-", plain).strip("-") or "key"
