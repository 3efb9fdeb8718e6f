"""What becomes of the settings of one model: `litellm_params` and `model_info`. Used by `catalog.py`."""

from __future__ import annotations

from serve_app.commands.litellm.rows import differs, lost, mapped, todo

_PRICES = (
    mapped("input_cost_per_token", "`cost.input_token_cost`"),
    mapped("output_cost_per_token", "`cost.output_token_cost`"),
    mapped("cache_read_input_token_cost", "`cost.cached_input_token_cost`"),
    mapped("cache_creation_input_token_cost", "`cost.cache_write_input_token_cost`"),
    mapped("cache_creation_input_token_cost_above_1hr", "`cost.cache_write_1h_input_token_cost`"),
    mapped("output_cost_per_reasoning_token", "`cost.reasoning_token_cost`"),
    mapped("input_cost_per_audio_token", "`cost.audio_input_token_cost`"),
    mapped("output_cost_per_audio_token", "`cost.audio_output_token_cost`"),
    mapped("input_cost_per_image_token", "`cost.image_input_token_cost`"),
    mapped("output_cost_per_image_token", "`cost.image_output_token_cost`"),
    mapped(
        "*_above_*_tokens* *_priority *_flex *_batches *_ultrafast *_balanced tiered_pricing",
        "where all prices of the entry are those of the known price list, no `cost` is written and "
        "the list, tiers included, holds; else a note (lost): `cost` has one price for prompts of "
        "any length and any tier of service",
    ),
    mapped(
        "*cost* *_multiplier* *pricing*",
        "a note (lost), unless the known price list says the same: tokens alone have prices",
    ),
)

PARAMS = (
    mapped(
        "model custom_llm_provider",
        "`provider` and `model_name`; a name without a provider is taken to the provider that "
        "LiteLLM infers. Left out, with a note, where LiteLLM would refuse it or the provider is not "
        "offered here. A provider that is not offered and speaks OpenAI's protocol becomes `custom` "
        "at its address",
    ),
    mapped(
        "api_base base_url",
        "`endpoints.primary`; `os.environ/X` of the file's `environment_variables` or of `--env "
        "X=…`, else the model is left out: its key must not go to another host",
    ),
    mapped(
        "api_key",
        "`authentication.secret_ref`, and a note with the secret to provide; without a key, the "
        "variable that LiteLLM would read. A key that stands in the file is written nowhere",
    ),
    mapped(
        "api_version",
        "`parameters.extra.api_version` of Azure's; of others a note (lost): their addresses have none",
    ),
    mapped("aws_region_name", "`parameters.extra.aws_region_name`"),
    mapped("vertex_project vertex_ai_project", "`parameters.extra.vertex_project`"),
    mapped("vertex_location vertex_ai_location", "`parameters.extra.vertex_location`"),
    mapped(
        "vertex_credentials vertex_ai_credentials",
        "`authentication.secret_ref`: the JSON of a Google account",
    ),
    mapped("project_id space_id", "`parameters.extra`, of watsonx"),
    mapped("aws_bedrock_runtime_endpoint", "`endpoints.primary`"),
    mapped(
        "rpm",
        "`rate_limits.requests_per_minute`; the share of a route's traffic where nothing has a weight",
    ),
    mapped("tpm", "`rate_limits.tokens_per_minute`; the share where nothing has a weight or `rpm`"),
    mapped(
        "weight",
        "`targets[].weight`. With `simple-shuffle`, LiteLLM asks a deployment of weight 0, or of "
        "none beside others, only where the others fail: it comes first among the route's "
        "`fallbacks`",
    ),
    mapped(
        "order",
        "the lowest are the route's targets, the others come first among its `fallbacks`, in order",
    ),
    mapped("timeout", "`timeout_ms` of a route, over all attempts; the longest of its models'"),
    mapped("num_retries max_retries", "`max_attempts` of a route, with room for each target and fallback"),
    mapped(
        "max_tokens temperature top_p frequency_penalty presence_penalty seed stop",
        "`parameters`, under which a request's own value wins",
    ),
    mapped("extra_body", "its parameters, each as if it stood beside"),
    mapped("allowed_openai_params", "`parameters.allow`, of those that no table knows"),
    mapped("litellm_credential_name", "the values of that entry of `credential_list`"),
    mapped("model_info", "as `model_info` beside `litellm_params`"),
    mapped("max_input_tokens", "`context_length`"),
    *_PRICES,
    differs(
        "drop_params additional_drop_params",
        "parameters that a provider with a protocol of its own lacks are always left out; one of "
        "OpenAI's protocol is sent the body as it is",
    ),
    differs(
        "use_chat_completions_api merge_reasoning_content_in_choices",
        "chats are chats here, and reasoning stays apart from content",
    ),
    todo(
        "aws_access_key_id aws_secret_access_key aws_session_token aws_profile_name",
        "requests to AWS are signed with the service's own identity: give its processes a role or "
        "these variables; the values were not copied",
    ),
    lost(
        "aws_role_name aws_session_name aws_web_identity_token aws_sts_endpoint aws_external_id "
        "aws_session_tags",
        "a model has no role of its own; let the service's own identity have what it may call",
    ),
    lost("aws_* bedrock_* s3_* gcs_* bucket_name", "has no counterpart: files and batches are not offered"),
    lost("model_id", "write the ARN of the inference profile as the model's name: `bedrock/arn:…`"),
    lost(
        "azure_ad_token* tenant_id client_id client_secret azure_scope azure_username azure_password azure_*",
        "Azure is told who calls by a key alone: create one and give it as the model's secret",
    ),
    lost(
        "anthropic_* openai_identity* openai_service* use_xai_oauth",
        "identities federated by token are not offered; give a key as the model's secret",
    ),
    lost("organization", "requests are sent for the key's own organization; use a key of that one"),
    lost(
        "region_name allowed_model_region watsonx_region_name",
        "has no counterpart; say where in the address",
    ),
    lost(
        "extra_headers headers default_headers",
        "a model sends no headers of its own; its values were not copied",
    ),
    lost("extra_query", "a model sends no query of its own"),
    lost("itpm otpm", "limits count input and output together; set `tpm`"),
    lost(
        "max_parallel_requests default_max_parallel_requests",
        "limits are of a minute; a client in excess waits or is told to, see VOYAGER_MAX_ONGOING_REQUESTS",
    ),
    lost(
        "stream_timeout timeout_by_service_tier stream_timeout_by_service_tier",
        "streams have one limit, VOYAGER_STREAM_TIMEOUT_S of the service",
    ),
    lost(
        "cooldown_time retry_after",
        "how long an endpoint rests follows from how it fails and what it says",
    ),
    lost(
        "fallbacks context_window_fallbacks content_policy_fallbacks",
        "chains are of routes: write them under router_settings and import again",
    ),
    lost(
        "max_budget budget_duration default_api_key_rpm_limit default_api_key_tpm_limit",
        "models have no budgets; rate limits and exact costs are there",
    ),
    lost("tags tag_regex", "there is no routing by tags; give clients routes of their own"),
    lost("mock_response mock_timeout mock_tool_calls", "there are no mocks; point the model at a stand-in"),
    lost(
        "auto_router_* complexity_router_* adaptive_router_* quality_router_*",
        "there is no routing by content; list the models as targets of a route",
    ),
    lost("configurable_clientside_auth_params", "no client says where a call goes or with which key"),
    lost("cache_control_injection_points", "let requests mark what is to be cached"),
    lost("metadata litellm_trace_id", "requests bring their own; see docs/requests.md"),
    lost(
        "hf_model_name tokenizer custom_tokenizer base_model custom_prompt_dict roles "
        "initial_prompt_value *_prompt_value",
        "has no counterpart; `base_model` belongs under model_info",
    ),
    lost(
        "use_in_pass_through use_litellm_proxy keepalive_seconds allow_client_keepalive_override "
        "provider_affinity_header fireworks_forward_user_id max_file_size_mb output_vector_size "
        "vector_store_id milvus_* valkey_* caching cache caching_groups ssl_verify logger_fn verbose",
        "has no counterpart",
    ),
    mapped(
        "reasoning_effort thinking response_format tools tool_choice parallel_tool_calls *",
        "any other name that may be a parameter: `parameters.extra`, sent with every request that "
        "does not set it; else a note (lost)",
    ),
)

MODEL_INFO = (
    mapped("max_input_tokens", "`context_length`"),
    mapped("max_tokens", "`context_length`, where `max_input_tokens` is not given"),
    mapped("mode", "an entry for anything but chats, texts, responses and embeddings is left out"),
    mapped("base_model", "`cost` and `context_length` out of the known price list, where the entry has none"),
    mapped("supports_*", "`capabilities`: `supports_vision: true` is `vision`"),
    mapped("order", "as in `litellm_params`"),
    mapped("rpm tpm", "`rate_limits`, as in `litellm_params`"),
    mapped(
        "id",
        "what `router_settings.weights` calls the model; nothing else: the service gives identities",
    ),
    mapped("blocked", "a deployment that is paused is left out"),
    *_PRICES,
    differs(
        "max_output_tokens",
        "is no limit here, only what is known of a model; `max_tokens` of litellm_params is one",
    ),
    lost(
        "health_check_* disable_background_health_check",
        "an endpoint is judged by its traffic, and one that failed by a cheap probe",
    ),
    lost(
        "access_groups team_id team_public_model_name access_windows member_auto_router tier "
        "blocked_* discoverable",
        "who may use which model is not said by models",
    ),
    lost("ptu_* custom_tokenizer tags enable_tag_filtering allow_fail_open", "has no counterpart"),
    differs(
        "db_model created_at created_by updated_at updated_by internal_router_model description "
        "comment source litellm_provider metadata key version deprecation_date",
        "is LiteLLM's own record; the service keeps revisions with author and time",
    ),
)
