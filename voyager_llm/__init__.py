"""The kernel: domain types, contracts and pure decisions. Imports no Ray, LiteLLM, kopf or server."""
