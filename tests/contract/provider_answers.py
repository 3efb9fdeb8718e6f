"""Failed answers as providers give them: who, the status, the body, and the headers that matter.

From their references, from reports of their users and from LiteLLM's tables. Used by `test_faults.py`.
"""

from __future__ import annotations

from typing import Any

import orjson


def openai(message: str, code: str | None = None, kind: str = "invalid_request_error") -> dict[str, Any]:
    return {"error": {"message": message, "type": kind, "param": None, "code": code}}


def anthropic(kind: str, message: str) -> dict[str, Any]:
    return {"type": "error", "error": {"type": kind, "message": message}, "request_id": "req_011"}


def google(code: int, status: str, message: str, reason: str = "") -> dict[str, Any]:
    detail = {"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": reason}
    return {"error": {"code": code, "message": message, "status": status, "details": [detail]}}


QUOTA = "You exceeded your current quota, please check your plan and billing details."
EXPIRED = "API key expired. Please renew the API key."

ACCOUNTS: list[tuple[str, int, Any]] = [
    ("anthropic", 400, anthropic("invalid_request_error", "Your credit balance is too low to access the "
     "Anthropic API. Please go to Plans & Billing to upgrade or purchase credits.")),
    ("anthropic", 400, anthropic("invalid_request_error", "This organization has been disabled.")),
    ("anthropic", 401, anthropic("authentication_error", "invalid x-api-key")),
    ("anthropic", 402, anthropic("billing_error", "Your payment method was declined")),
    ("anthropic", 403, anthropic("permission_error", "Your API key does not have permission")),
    ("openai", 429, openai(QUOTA, "insufficient_quota", "insufficient_quota")),
    ("openai", 429, openai("You have no credits left", "credit_balance_exhausted", "insufficient_quota")),
    ("openai", 429, openai("Your account is not active, please check your billing details on our website.",
                           "billing_not_active", "billing_not_active")),
    ("openai", 400, openai("Billing hard limit has been reached", "billing_hard_limit_reached")),
    ("openai", 401, openai("Incorrect API key provided: sk-x.", "invalid_api_key")),
    ("openai", 403, openai("The OpenAI account associated with this API key has been deactivated.",
                           "account_deactivated")),
    ("gemini", 400, google(400, "INVALID_ARGUMENT", "API key not valid. Please pass a valid API key.",
                           "API_KEY_INVALID")),
    ("gemini", 400, google(400, "INVALID_ARGUMENT", EXPIRED, "API_KEY_INVALID")),
    ("gemini", 400, google(400, "INVALID_ARGUMENT", EXPIRED)),
    ("gemini as OpenAI", 400, [google(400, "INVALID_ARGUMENT", EXPIRED)]),
    ("gemini", 403, google(403, "PERMISSION_DENIED", "Permission denied: Consumer 'api_key:AIzaX' has been "
     "suspended.", "CONSUMER_SUSPENDED")),
    ("gemini", 400, google(400, "FAILED_PRECONDITION", "User location is not supported for the API use.")),
    ("vertex", 403, google(403, "PERMISSION_DENIED", "Permission 'aiplatform.endpoints.predict' denied on "
     "resource '//aiplatform.googleapis.com/projects/p'", "IAM_PERMISSION_DENIED")),
    ("vertex", 400, google(400, "FAILED_PRECONDITION", "Vertex AI API has not been used in project 1 "
     "before")),
    ("mistral", 401, {"message": "Unauthorized", "request_id": "1"}),
    ("cohere", 401, {"message": "invalid api token"}),
    ("cohere", 400, {"message": "invalid api token"}),
    ("cohere", 402, {"message": "Please add or update your payment method."}),
    ("deepseek", 402, openai("Insufficient Balance", "invalid_request_error", "unknown_error")),
    ("deepseek", 401, openai("Authentication Fails (no such user)", "invalid_request_error")),
    ("openrouter", 402, {"error": {"code": 402, "message": "This request requires more credits, or fewer "
     "max_tokens. You requested up to 64000 tokens, but can only afford 2000."}}),
    ("openrouter", 403, {"error": {"code": 403, "message": "Key limit exceeded (total limit)."}}),
    ("xai", 400, {"code": "Client specified an invalid argument",
                  "error": "Incorrect API key provided: na***ys. You can obtain an API key from "
                           "https://console.x.ai."}),
    ("xai", 403, {"code": "The caller does not have permission to execute the specified operation",
                  "error": "Your newly created team doesn't have any credits or licenses yet."}),
    ("xai", 429, {"code": "Some resource has been exhausted",
                  "error": "Your team 16f2151a-40f4-4a80-8ad0-cae00c27e8dd has either used all available "
                           "credits or reached its monthly spending limit."}),
    ("groq", 401, openai("Invalid API Key", "invalid_api_key")),
    ("groq", 400, openai("Organization has been restricted. Please reach out to support if you believe this "
                         "was in error.", "organization_restricted")),
    ("azure", 401, {"error": {"code": "401", "message": "Access denied due to invalid subscription key or "
                                                        "wrong API endpoint."}}),
    ("azure", 403, {"error": {"code": "403", "message": "Access denied due to Virtual Network rules."}}),
    ("bedrock", 403, {"message": "The security token included in the request is expired"}),
    ("bedrock", 400, {"message": "The security token included in the request is invalid."}),
    ("bedrock", 403, {"Message": "User: arn:aws:iam::1:user/x is not authorized to perform: "
                                 "bedrock:InvokeModel"}),
    ("bedrock", 400, {"message": "Operation not allowed"}),
    ("moonshot", 429, openai("Your account org-x is suspended, please check your plan and billing details",
                             None, "exceeded_current_quota_error")),
    ("z.ai", 429, openai("Insufficient balance or no resource package. Please recharge.", "1113")),
    ("dashscope", 400, openai("Access denied, please make sure your account is in good standing.",
                              "Arrearage")),
    ("a proxy", 400, openai("Invalid API key")),
    ("a proxy", 400, openai("AnthropicException - " + orjson.dumps(anthropic(
        "authentication_error", "invalid x-api-key")).decode())),
]  # fmt: skip

TOO_LONG: list[tuple[str, int, Any]] = [
    ("anthropic", 400, anthropic("invalid_request_error", "prompt is too long: 213462 tokens > 200000 "
     "maximum")),
    ("anthropic", 400, anthropic("invalid_request_error", "input length and `max_tokens` exceed context "
     "limit: 178959 + 64000 > 200000, decrease input length or `max_tokens` and try again")),
    ("openai", 400, openai("This model's maximum context length is 8192 tokens. However, your messages "
     "resulted in 8545 tokens. Please reduce the length of the messages.", "context_length_exceeded")),
    ("openai", 400, openai("Your input exceeds the context window of this model. Please adjust your input "
     "and try again.")),
    ("openai", 400, openai("Input tokens exceed the configured limit of 272000 tokens. Your messages "
     "resulted in 300000 tokens. Please reduce the length of the messages.")),
    ("openai", 400, openai("Invalid 'messages[1].content': string too long. Expected a string with maximum "
     "length 10485760, but got a string with length 10500000 instead.", "string_above_max_length")),
    ("gemini", 400, google(400, "INVALID_ARGUMENT", "The input token count (1196265) exceeds the maximum "
     "number of tokens allowed (1048575).")),
    ("vertex", 400, google(400, "INVALID_ARGUMENT", "Unable to submit request because the input token count "
     "is 1196265 but model only supports up to 1048576.")),
    ("mistral", 400, {"object": "error", "message": "Prompt contains 40000 tokens and 0 draft tokens, too "
     "large for model with 32768 maximum context length", "type": "invalid_request_prompt", "code": "3051"}),
    ("cohere", 400, {"message": "too many tokens: size limit exceeded by 11 tokens. Try using shorter "
     "input"}),
    ("deepseek", 400, openai("This model's maximum context length is 65536 tokens. However, you requested "
     "69648 tokens (69648 in the messages, 0 in the completion).", "invalid_request_error")),
    ("openrouter", 400, {"error": {"code": 400, "message": "This endpoint's maximum context length is "
     "1048576 tokens. However, you requested about 1293741 tokens."}}),
    ("xai", 400, {"code": "Client specified an invalid argument", "error": "This model's maximum prompt "
     "length is 131072 but the request contains 537812 tokens."}),
    ("groq", 400, openai("Please reduce the length of the messages or "
     "completion.", "context_length_exceeded")),
    ("cerebras", 400, openai("Please reduce the length of the messages or completion. Current length is 9000 "
     "while limit is 8192", None)),
    ("bedrock", 400, {"message": "Input is too long for requested model."}),
    ("bedrock", 400, {"message": "Too many input tokens. Max input tokens: 42000, request input token count: "
     "52000"}),
    ("bedrock", 400, openai("prompt tokens (140000) exceed model maximum (131072)", "validation_error")),
    ("vllm", 400, {"message": "The decoder prompt (length 163840) is longer than the maximum model length of "
     "131072."}),
    ("llama.cpp", 400, {"error": {"code": 400, "type": "exceed_context_size_error", "message": "the request "
     "exceeds the available context size, try increasing it"}}),
    ("llama.cpp before", 500, {"error": {"code": 500, "type": "server_error", "message": "the request "
     "exceeds the available context size. try increasing the context size or enable context shift"}}),
    ("lm studio", 400, {"error": "The number of tokens to keep from the initial prompt is greater than the "
     "context length."}),
    ("tgi", 422, {"error": "Input validation error: `inputs` tokens + `max_new_tokens` must be <= 8193. "
     "Given: 9000 `inputs` tokens and 20 `max_new_tokens`", "error_type": "validation"}),
    ("tei", 413, {"error": "Input validation error: `inputs` must have less than 512 tokens. Given: 600"}),
    ("voyage", 400, {"detail": "Request to model 'voyage-3' failed. The example at index 0 in your batch has "
     "too many tokens and does not fit into the model's context window of 32000 tokens."}),
    ("moonshot", 400, openai("Invalid request: Your request exceeded model token limit: 262144 (requested: "
     "291351)")),
    ("minimax", 400, openai("invalid params, context window exceeds limit (2013)", "bad_request_error")),
    ("z.ai", 400, openai("Prompt exceeds max length", "1261")),
    ("dashscope", 400, openai("<400> InternalError.Algo.InvalidParameter: Range of input length should be "
     "[1, 98304]", "invalid_parameter_error")),
    ("copilot", 400, openai("prompt token count of 140000 exceeds the limit of 128000",
                            "model_max_prompt_tokens_exceeded")),
    ("a proxy", 400, openai("BedrockException: Context Window Error - " + orjson.dumps({"message": "prompt "
     "is too long: 213462 tokens > 200000 maximum"}).decode())),
]  # fmt: skip

POLICY: list[tuple[str, int, Any]] = [
    ("azure", 400, {"error": {"message": "The response was filtered due to the prompt triggering Azure "
     "OpenAI's content management policy.", "type": None, "param": "prompt", "code": "content_filter",
     "status": 400, "innererror": {"code": "ResponsibleAIPolicyViolation"}}}),
    ("openai", 400, openai("Invalid prompt: your prompt was flagged as potentially violating our usage "
     "policy. Please try again with a different prompt.", "invalid_prompt")),
    ("openai", 400, openai("Your request was rejected as a result of our safety system.")),
    ("anthropic", 400, anthropic("invalid_request_error", "Output blocked by content filtering policy")),
    ("openrouter", 403, {"error": {"code": 403, "message": "openai/gpt-4o requires moderation on OpenAI. "
     "Your "
     "input was flagged for \"violence\".", "metadata": {"reasons": ["violence"], "flagged_input": "…"}}}),
    ("xai", 403, {"code": "The caller does not have permission to execute the specified operation", "error":
     "Content violates usage guidelines. Team: 1f, API key ID: 2e, Model: grok-4, Failed check: "
     "SAFETY_CHECK"}),
    ("vertex", 400, google(400, "INVALID_ARGUMENT", "The prompt could not be submitted. This prompt contains "
     "sensitive words that violate Google's Responsible AI practices.")),
    ("deepseek", 400, openai("Content Exists Risk", "invalid_request_error")),
    ("moonshot", 400, openai("The request was rejected because it was considered high risk",
                             None, "content_filter")),
    ("dashscope", 400, openai("Input data may contain inappropriate content.", "data_inspection_failed")),
    ("z.ai", 400, openai("System detected potentially unsafe or sensitive content in input or generation.",
                         "1301")),
    ("bedrock", 400, {"message": "The model response was blocked by our content filters."}),
]  # fmt: skip

MEDIA: list[tuple[str, int, Any]] = [
    ("openai", 400, openai("Error while downloading https://x.test/a.png.", "invalid_image_url")),
    ("openai", 400, openai("Timeout while downloading https://x.test/a.png.", "invalid_value")),
    ("openai", 500, openai("Failed to download image from https://x.test/a.png.", None, "server_error")),
    ("anthropic", 400, anthropic("invalid_request_error", "Unable to download the file. Please verify the "
     "URL and try again.")),
    ("anthropic", 500, anthropic("api_error", "Unable to download the file. Please verify the URL and try "
     "again.")),
    ("anthropic", 400, anthropic("invalid_request_error", "Could not process image")),
    ("gemini", 400, google(400, "INVALID_ARGUMENT", "Cannot fetch content from the provided URL. Please "
     "ensure the URL is valid and accessible. URL_ROBOTED-ROBOTED_DENIED")),
    ("gemini", 503, google(503, "UNAVAILABLE", "Cannot fetch content from the provided URL.")),
    ("mistral", 400, {"object": "error", "type": "invalid_request_file", "message": "File could not be "
     "fetched from url 'https://x.test/a.png'"}),
    ("groq", 400, openai("failed to retrieve media: received status code: 404")),
    ("dashscope", 400, openai("Failed to download multimodal content", "invalid_parameter_error")),
    ("vllm", 502, {"error": "Failed to fetch image: 404, message='Not Found'"}),
]  # fmt: skip

UNSUPPORTED: list[tuple[str, int, Any]] = [
    ("anything", 404, b"<html>nothing here</html>"),
    ("anything", 405, {"detail": "Method Not Allowed"}),
    ("anything", 501, {"error": {"message": "not implemented"}}),
    ("openai", 404, openai("The model `gpt-9` does not exist or you do not have access to it.",
                           "model_not_found")),
    ("deepseek", 400, openai("Model Not Exist", "invalid_request_error")),
    ("mistral", 400, {"object": "error", "message": "Invalid model: mistral-x", "code": "1500"}),
    ("openrouter", 400, {"error": {"code": 400, "message": "x/y is not a valid model ID"}}),
    ("bedrock", 400, {"message": "The provided model identifier is invalid."}),
    ("groq", 400, openai("The model `x` has been decommissioned and is no longer supported.",
                         "model_decommissioned")),
    ("azure", 400, {"error": {"code": "OperationNotSupported", "message": "The chatCompletion operation does "
     "not work with the specified model, text-embedding-3-small."}}),
    ("ollama", 400, {"error": '"nomic-embed-text" does not support chat'}),
]  # fmt: skip

ALONE: list[tuple[str, int, Any, dict[str, str]]] = [
    ("openai", 429, openai("Request too large for gpt-4o in organization org-x on tokens per min (TPM): "
     "Limit 30000, Requested 31538. The input or output tokens must be "
     "reduced.", "rate_limit_exceeded", "tokens"), {}),
    ("openai", 429, openai("Rate limit reached for gpt-4 on tokens per min (TPM): Limit 10,000, Used 1, "
     "Requested 10,112.", "rate_limit_exceeded", "tokens"), {}),
    ("groq", 413, openai("Request too large for model `llama` in organization `org_x` service tier "
     "`on_demand` "
     "on tokens per minute (TPM): Limit 6000, Requested 12345, please reduce your message size and try "
     "again.",
     "rate_limit_exceeded", "tokens"), {}),
    ("anthropic", 429, anthropic("rate_limit_error", "This request would exceed your organization's rate "
     "limit of 30,000 input tokens per minute (org: x). Please reduce the prompt length."),
     {"anthropic-ratelimit-input-tokens-limit": "30000",
      "anthropic-ratelimit-input-tokens-remaining": "30000"}),
    ("anthropic", 429, anthropic("rate_limit_error", "Extra usage is required for long context "
     "requests."), {}),
]  # fmt: skip

LIMITS: list[tuple[str, int, Any, dict[str, str]]] = [
    ("openai", 429, openai("Rate limit reached for gpt-4 in organization org-x on tokens per min (TPM): "
     "Limit 10000, Used 9000, Requested 2000.", "rate_limit_exceeded", "tokens"), {}),
    # Gemini's ordinary limit, in the words of OpenAI's empty account.
    ("gemini", 429, google(429, "RESOURCE_EXHAUSTED", QUOTA + " * Quota exceeded for metric: "
     "generate_content_free_tier_requests, limit: 20. Please retry in 32.5s."), {}),
    ("anthropic", 429, anthropic("rate_limit_error", "This request would exceed your organization's rate "
     "limit of 30,000 input tokens per minute."), {"anthropic-ratelimit-input-tokens-limit": "30000",
      "anthropic-ratelimit-input-tokens-remaining": "12000",
      "anthropic-ratelimit-output-tokens-limit": "8000",
       "anthropic-ratelimit-output-tokens-remaining": "8000"}),
    ("bedrock", 429, {"message": "Too many tokens, please wait before trying again."}, {}),
    ("mistral", 429, {"message": "Service tier capacity exceeded for this model."}, {}),
    ("anything", 429, b"", {}),
]  # fmt: skip

# What only sounds like one of the above is what the client did wrong, and in the provider's words.
REJECTED: list[tuple[str, int, Any]] = [
    ("openai", 400, openai("Unknown parameter: 'context_window'.", "unknown_parameter")),
    ("openai", 400, openai("Invalid value for 'context_length': expected an integer.")),
    ("openai", 400, openai("invalid value for context_length")),
    ("openai", 400, openai("Invalid 'user': string too long. Expected a string with maximum length 64, but "
     "got a string with length 70 instead.", "string_above_max_length")),
    ("openai", 400, openai("max_tokens is too large: 100000. This model supports at most 16384 completion "
     "tokens, whereas you provided 100000.", "invalid_value")),
    ("groq", 400, openai("`max_tokens` must be less than or equal to `8192`, the maximum value for "
     "`max_tokens` is less than the `context_window` for this model")),
    ("bedrock", 400, {"message": "The maximum tokens you requested exceeds the model limit of 8192."}),
    ("gemini", 400, google(400, "INVALID_ARGUMENT", "Unable to submit request because it has a "
     "maxOutputTokens value of 100000 but the supported range is from 1 to 65537.")),
    ("openai", 400, openai("Unknown parameter: 'content_filter'.", "unknown_parameter")),
    ("openai", 400, openai("Unsupported parameter: 'safety_settings' is not supported with this model.")),
    ("openai", 400, openai("Invalid value: 'prompt is too long'. Supported values are: 'a' and 'b'.")),
    ("openai", 400, openai('Unknown tool "content blocked by the content policy" in tool_choice.')),
    ("openai", 400, openai("Invalid value: 'Your credit balance is too low'.")),
    ("openai", 400, openai("Invalid value for user: Invalid API key")),
    ("ollama", 400, {"error": '"llama3" does not support tools'}),
    ("anthropic", 400, anthropic("invalid_request_error", "messages: roles must alternate")),
    ("anthropic", 413, anthropic("request_too_large", "Request exceeds the maximum size")),
    ("anything", 400, b"not JSON"),
    ("anything", 413, b"<html>413 Request Entity Too Large</html>"),
]  # fmt: skip

OUTAGES: list[tuple[str, int, Any]] = [
    ("anthropic", 529, anthropic("overloaded_error", "Overloaded")),
    ("openai", 500, openai("The server had an error while processing your request.", None, "server_error")),
    ("a proxy", 503, b"<html>blocked by the firewall</html>"),
    ("a proxy", 502, {"error": "Failed to load model: unable to open file /models/x.gguf"}),
    ("a proxy", 500, {"error": "failed to fetch the list of upstreams"}),
    ("gemini", 499, google(499, "CANCELLED", "The operation was cancelled.")),
]
