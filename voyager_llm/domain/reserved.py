"""Names by which LiteLLM or a provider's client is told how to make a call: no request may use them.

They stand beside request parameters in LiteLLM's functions, so a name that a model allows must be none of
them. `tests/hostile/test_parameters.py` holds this to whatever the installed LiteLLM reads. Used by
`parameters.py`.
"""

from __future__ import annotations


def reserved(name: str) -> bool:
    """Whether a name is one by which LiteLLM or a provider's client is told how to make a call."""
    return (
        name in _RESERVED
        or not _WORDS.isdisjoint(name.split("_"))
        or name.startswith(_STARTS)
        or name.endswith(_ENDS)
    )


# A word that gives a name away wherever it stands: where a call goes, who makes it, how it is made.
_WORDS = frozenset(
    {
        "base", "endpoint", "host", "port", "proxy", "region", "uri", "url", "urls", "account",
        "apikey", "auth", "certificate", "credential", "credentials", "federation", "fingerprint",
        "identity", "issuer", "keycloak", "location", "oauth", "organization", "password",
        "profile", "project", "scope", "secret", "signer", "tenancy", "tenant", "username",
        "workspace", "budget", "callback", "callbacks", "client", "clientside", "cooldown", "cost",
        "fallback", "fallbacks", "guardrail", "guardrails", "header", "headers", "interception",
        "litellm", "logger", "logging", "mcp", "mock", "retries", "retry", "router", "routing",
        "session", "ssl", "timeout",
    }
)  # fmt: skip
_STARTS = (
    "api_", "arize_", "async_", "aws_", "azure_", "bedrock_", "bucket_", "complete_", "dd_",
    "gcs_", "langfuse_", "langsmith_", "milvus_", "model_", "mongodb_", "newrelic_", "oci_",
    "posthog_", "prompt_", "s3_", "sagemaker_", "signoz_", "stream_", "use_", "valkey_",
    "vector_", "vertex_", "wandb_", "watsonx_", "weave_", "wx_", "zen_",
)  # fmt: skip
_ENDS = ("_file", "_key", "_keys", "_path", "_token", "_uri")
_RESERVED = frozenset(
    {
        # LiteLLM's functions take these of their caller.
        "acompletion", "acreate_batch", "acreate_fine_tuning_job", "additional_drop_params",
        "aembedding", "aimg_generation", "allm_passthrough_route", "allowed_openai_params",
        "amoderation", "arealtime", "arerank", "aresponses", "args", "aspeech",
        "assistant_continue_message", "atext_completion", "atranscription", "attempted_targets",
        "azure", "batch_models", "cache", "caching", "caching_groups", "call_type",
        "combined_usage_object", "config", "custom_llm_provider", "deployment_id", "drop_params",
        "enable_json_schema_validation", "engine", "ensure_alternating_roles", "exception",
        "exclude_unset", "extra_body", "extra_query", "fake_stream", "fastest_response",
        "final_prompt_value", "follow_redirects", "functions_unsupported_model",
        "get_supported_openai_params", "hf_model_name", "id", "is_async", "is_vertex_request",
        "itpm", "json_mode", "keepalive_seconds", "kwargs", "log_client_error_tracebacks",
        "max_agentic_loops", "max_parallel_requests", "merge_reasoning_content_in_choices", "model",
        "models", "nvcf_function_id", "optional_params", "order", "original_function", "otpm",
        "page_token", "passthrough", "placeholder_values", "provider_config", "roles", "rpm",
        "search_engine_id", "search_tool_name", "self", "silent_model", "supports_system_message",
        "supports_system_prompt", "tag_regex", "tags", "text_completion", "tiered_pricing", "token",
        "tpm", "usage", "user_agent", "user_continue_message", "verbose",
        # Its adapters take these of its own code.
        "aembedding_fn", "authenticator", "aws", "backend_factory", "embedding_executor", "embedding_fn",
        "entra_token_minter", "fetch_image", "provider",
        # Its own records and switches, which its parts read where parameters stand.
        "cache_control_injection_points", "cache_hit", "completion_call_id",
        "completion_start_time", "container", "custom_prompt_dict", "databricks_user_agent",
        "default_api_key_rpm_limit", "default_api_key_tpm_limit",
        "disable_add_transform_inline_image_block", "fireworks_forward_user_id",
        "gdc_token_caching", "initial_file_response", "initial_prompt_value", "method",
        "moderations", "original_batch_request", "riva_model_name", "role", "route",
        "user_api_key_end_user_id", "video_s3_bucket_owner",
        # Content that may be an address, which some of its adapters fetch.
        "base64_string", "document", "file", "image", "images", "media_source",
        "media_source_bucket_owner", "ref_audio", "video", "video_base64",
    }
)  # fmt: skip
