"""What becomes of the settings of the whole proxy. Used by `catalog.py`."""

from __future__ import annotations

from serve_app.commands.litellm.rows import differs, lost, mapped, todo

_CHAINS = (
    mapped(
        "fallbacks",
        "`fallbacks` of routes, those of router_settings and litellm_settings together; a group "
        'stands for all of its models. `"*"` is for all that have none of their own',
    ),
    mapped("context_window_fallbacks", "`context_window_fallbacks` of routes, likewise"),
    mapped("content_policy_fallbacks", "`content_policy_fallbacks` of routes, likewise"),
    mapped("default_fallbacks", "`fallbacks` of every route that has none of its own"),
    mapped("num_retries", "`max_attempts` of routes; for models alone a note (to do): VOYAGER_MAX_ATTEMPTS"),
)
_RESTS = lost(
    "allowed_fails allowed_fails_policy cooldown_time disable_cooldowns retry_after",
    "an endpoint is ejected and comes back by how it fails, by Retry-After and by probes; nothing is "
    "to be set",
)
_CACHES = lost(
    "cache* caching* *redis* default_in_memory_ttl client_ttl",
    "there is no cache of answers; providers' own prompt caches are used and priced",
)

FILE = (
    mapped("model_list", "models and routes"),
    mapped("litellm_settings router_settings general_settings", "see below"),
    mapped(
        "environment_variables",
        "what `os.environ/X` of a name, an address or a number stands for; never a key's: those are "
        "secrets to provide. The values go nowhere else",
    ),
    mapped("credential_list", "what `litellm_credential_name` names"),
    mapped("x-* .*", "nothing: it holds what anchors name, and LiteLLM does not read it either"),
    mapped("include", "files of the same folder or below, merged as LiteLLM merges them"),
    lost(
        "guardrails policies policy_attachments",
        "there are no guardrails; keep them before or behind the service",
    ),
    lost("mcp_servers mcp_tools mcp_*", "tools run in the client; requests and answers carry their calls"),
    lost("agents agent_list a2a_*", "there are no agents"),
    lost("vector_store_registry search_tools sandbox_tools", "has no counterpart"),
    lost("prompts", "define them as PromptDefinition; see examples/prompt.yaml"),
    lost(
        "assistant_settings finetune_settings files_settings default_vertex_config",
        "assistants, fine-tuning, files and pass-through are not offered",
    ),
    lost("callback_settings", "metrics are at /metrics, failures in the log, traces by traceparent"),
    lost("worker_registry", "replicas are found by Ray Serve; see VOYAGER_ROUTER_REPLICAS"),
)

ROUTER = (
    *_CHAINS,
    mapped(
        "routing_strategy",
        "`policy` of routes: simple-shuffle is weighted, least-busy and usage-based-routing "
        "least_in_flight, latency-based-routing peak_ewma, cost-based-routing cheapest; another one "
        "is weighted, with a note (lost)",
    ),
    mapped("model_group_alias", "`aliases` of the model or route"),
    mapped(
        "timeout",
        "`timeout_ms` of routes, over all attempts; for models alone a note (to do): "
        "VOYAGER_REQUEST_TIMEOUT_S",
    ),
    mapped("weights", "`targets[].weight`, by the `model_info.id` of deployments"),
    todo("stream_timeout", "set VOYAGER_STREAM_TIMEOUT_S of the service, the limit of a whole stream"),
    differs("max_retries", "LiteLLM itself does not read it here; num_retries is mapped"),
    _RESTS,
    differs(
        "enable_pre_call_checks optional_pre_call_checks",
        "limits are kept before every call; a prompt that is too long goes to "
        "context_window_fallbacks when the provider says so",
    ),
    differs("max_fallbacks", "a chain is walked to its end or to the request's deadline"),
    differs(
        "enable_weighted_failover enable_health_check_routing health_check_staleness_threshold "
        "health_check_ignore_transient_errors background_health_check_model_groups",
        "another target is asked where one fails, always, and endpoints that fail are asked last",
    ),
    lost(
        "retry_policy model_group_retry_policy",
        "what is repeated follows from the kind of failure; see docs/decisions/0020-judgement.md",
    ),
    lost("routing_strategy_args", "policies have no arguments"),
    lost(
        "routing_groups model_group_affinity_config deployment_affinity_ttl_seconds",
        "has no counterpart; the policy `sticky` keeps a session at a target",
    ),
    lost(
        "enable_tag_filtering tag_filtering_match_any tag_routing_prefix",
        "there is no routing by tags; give clients routes of their own",
    ),
    lost("provider_budget_config", "there are no budgets"),
    lost("alerting_config", "alert on /metrics"),
    lost(
        "default_litellm_params default_max_parallel_requests default_priority polling_interval",
        "models say their defaults one by one; write them into litellm_params and import again",
    ),
    differs("*redis*", "replicas share rate limits without Redis"),
    _CACHES,
    lost(
        "assistants_config search_tools guardrail_list plugins router_general_settings model_list "
        "auto_router_capability_limit fallback_access_check fallback_budget_check",
        "has no counterpart",
    ),
    differs(
        "set_verbose debug_level ignore_invalid_deployments",
        "every definition is checked; logs are JSON lines",
    ),
)

LITELLM = (
    *_CHAINS,
    mapped("request_timeout", "as `router_settings.timeout`, which wins"),
    mapped("model_alias_map", "`aliases`, where it names a model_name of the file; else a note (lost)"),
    _RESTS,
    _CACHES,
    differs(
        "drop_params modify_params",
        "parameters that a provider with a protocol of its own lacks are always left out; one of "
        "OpenAI's protocol is sent the body as it is",
    ),
    differs("max_fallbacks", "a chain is walked to its end or to the request's deadline"),
    differs(
        "set_verbose json_logs suppress_debug_info telemetry log_client_error_tracebacks "
        "request_correlation_in_logs use_aiohttp_transport disable_aiohttp_transport "
        "redact_user_api_key_info redact_messages_in_exceptions turn_off_message_logging",
        "logs are JSON lines without messages and keys; nothing is sent home",
    ),
    lost(
        "callbacks success_callback failure_callback service_callback input_callback "
        "audit_log_callbacks *_callback *callback_params *callbacks langfuse_* langsmith_* datadog_* "
        "prometheus_* custom_prometheus_* *_prometheus_* s3_* gcs_* argilla_* newrelic_* dynamodb_* "
        "logging log_raw_request_response require_auth_for_metrics_endpoint store_audit_logs "
        "standard_logging_* cold_storage_* generic_*",
        "nothing is called back: metrics are at /metrics, costs in `x-voyager-cost`, failures in the "
        "log, traces by traceparent",
    ),
    lost(
        "max_budget budget_duration budget_* *_budget *_budget_* default_soft_budget "
        "tag_budget_config max_end_user_budget*",
        "there are no budgets; rate limits and exact costs are there",
    ),
    lost(
        "default_team_settings default_team_params default_internal_user_params "
        "default_key_generate_params upperbound_key_generate_params key_generation_settings "
        "key_alias_pattern enable_key_alias_* *end_user*",
        "there are no virtual keys, users or teams: clients present one key (VOYAGER_API_KEY), or "
        "the gateway before the service knows them",
    ),
    lost(
        "guardrails pre_call_rules post_call_rules llamaguard_* presidio_* *moderation* "
        "llm_guard_mode blocked_user_list banned_keywords_list output_parse_pii *_in_guardrail "
        "guardrail_*",
        "there are no guardrails; keep them before or behind the service",
    ),
    lost("custom_provider_map", "a handler in Python cannot be brought along: its models are left out"),
    lost(
        "api_base api_key api_version api_type organization *_key vertex_project vertex_location proxy_auth",
        "models say where they are and with which key, one by one",
    ),
    lost(
        "ssl_verify ssl_* force_ipv4 aiohttp_trust_env disable_aiohttp_trust_env http2 "
        "client_session aclient_session",
        "providers are called over TLS with the system's certificates and without proxies; an "
        "authority of your own belongs into the system's store",
    ),
    lost(
        "cost_discount_config cost_margin_config model_cost_map_url custom_prompt_dict",
        "prices are said by models, in `cost`",
    ),
    lost(
        "public_model_groups* public_* mcp_* agent_* skill_* priority_reservation* "
        "model_group_settings forward_* add_user_information_to_llm_headers "
        "overwrite_user_with_key_hash add_function_to_prompt enable_* disable_* default_* global_* "
        "return_response_headers include_cost_in_streaming_usage responses email token user_url_* "
        "provider_url_* filter_* route_* num_retries_per_request websearch_* model_fallbacks max_tokens",
        "has no counterpart",
    ),
)

GENERAL = (
    todo(
        "master_key",
        "clients present one key: set VOYAGER_API_KEY to a reference to a secret that holds it; the "
        "key was not copied",
    ),
    todo(
        "database_url",
        "definitions are kept in SQLite, or in Postgres: set VOYAGER_DATABASE_URL; spend, keys and "
        "models that stand in LiteLLM's database are not imported",
    ),
    todo("max_request_size_mb", "set VOYAGER_MAX_BODY_BYTES"),
    todo("max_response_size_mb", "set VOYAGER_MAX_ANSWER_BYTES"),
    todo("allowed_ips", "let the network or Envoy say who may connect"),
    lost(
        "store_model_in_db supported_db_objects",
        "definitions are written through the API, and kept; models that stand in LiteLLM's database "
        "are not imported",
    ),
    lost(
        "database_* use_redis_* *spend* maximum_* proxy_b* proxy_config_* scheduled_* use_spend_*",
        "there is no database of requests; costs are in each answer and in /metrics",
    ),
    lost(
        "custom_auth* custom_key_* custom_sso custom_* enable_jwt_auth litellm_jwtauth jwt_* role_* "
        "user_header_* litellm_key_header_name allow_user_auth oauth2_* enable_oauth2_* "
        "service_account_settings dangerously_* *login* password_* *sso* ui_* admin_* allowed_routes "
        "public_routes admin_only_routes control_plane_url team_* default_team_* enforce* "
        "key_management_* use_google_kms use_azure_key_vault user_mcp_* mcp_* trusted_* "
        "user_api_key_cache_* disable_env_credential_login *_budget* reject_clientside_metadata_tags "
        "fail_closed_*",
        "there are no virtual keys, users or teams: clients present one key (VOYAGER_API_KEY), or "
        "the gateway before the service knows them; secrets are mounted files, Kubernetes Secrets or "
        "VOYAGER_SECRET_ variables",
    ),
    lost(
        "pass_through_endpoints pass_through_* transcribe_* enable_openai_websocket_passthrough "
        "responses_websocket_*",
        "there is no pass-through; call the provider itself",
    ),
    lost("alerting alert_* alerting_* slack_*", "alert on /metrics"),
    differs(
        "background_health_checks health_check_* use_shared_health_check model_list_healthy_only "
        "enable_health_check_* background_health_*",
        "an endpoint is judged by its traffic, and one that failed by a cheap probe",
    ),
    lost(
        "max_parallel_requests global_max_parallel_requests max_in_flight_* max_queued_* admission_queue_*",
        "see VOYAGER_MAX_ONGOING_REQUESTS and VOYAGER_MAX_CONNECTIONS_PER_CLIENT",
    ),
    differs(
        "otel tracing store_prompts_in_spend_logs include_call_id_in_error_body cancel_on_disconnect "
        "expose_fallback_errors_to_caller",
        "traces go on from traceparent, errors name the request, and a client that leaves ends its call",
    ),
    lost("completion_model infer_model_from_keys", "requests name a model"),
    lost(
        "*file* *vector* *search_tool* *batch* plugins* claude_code_* enable_* allow_* disable_* "
        "coordination_* forward_* missing_session_id user_url_* provider_url_* *public*",
        "has no counterpart",
    ),
)
