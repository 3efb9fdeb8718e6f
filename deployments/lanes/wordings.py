"""Providers' words for what fails, as they were seen in their answers. Used by `said.py`.

Of a text, what stands between quotes is a name or the client's own words and never a statement ("Unknown
parameter: 'context_window'" is not about a window). What counts against an endpoint must begin the text,
since a client can have its words repeated anywhere behind. `tests/contract/test_faults.py` has a row for
each wording, and for those that only look alike.
"""

from __future__ import annotations

import re


def _any(*patterns: str) -> re.Pattern[str]:
    return re.compile("|".join(patterns), re.IGNORECASE)


def _codes(text: str) -> frozenset[str]:
    return frozenset(text.split())


# An apostrophe is no quote: one opens before a word and closes behind it.
QUOTED = re.compile(r"(?<!\w)'[^']*'(?!\w)|\"[^\"]*\"|`[^`]*`|\u2018[^\u2019]*\u2019|\u201c[^\u201d]*\u201d")
NAMED = "…"

# The account cannot pay. Where a limit is told with the same status, only these count: Gemini's ordinary
# limits say "You exceeded your current quota, please check your plan" as well.
UNPAID_CODES = _codes(
    """insufficient_quota billing_not_active billing_hard_limit_reached billing_error credit_balance_exhausted
    organization_usage_limit_exceeded organization_spend_limit_exceeded project_spend_limit_exceeded
    insufficient_balance insufficient_credits insufficient_user_quota payment_required arrearage
    account_deactivated access_terminated exceeded_current_quota_error"""
)
UNPAID = _any(
    r"your (account|organi[sz]ation) (is not active|has been (deactivated|disabled|suspended))",
    r"your (newly created )?teams? .{0,120}(credits|spending limit)",
    r"you have run out of credits",
    r"insufficient (balance|credits?|funds)\b",
    r"your account .{0,80}(suspended|insufficient balance)",
)

# The key is wrong, or what it belongs to may not call or cannot pay.
ACCOUNT_CODES = UNPAID_CODES | _codes(
    """invalid_api_key api_key_invalid api_key_expired incorrect_api_key authentication_error
    invalid_authentication_error permission_error permission_denied unauthenticated consumer_suspended
    consumer_invalid service_disabled billing_disabled api_key_service_blocked invalid_organization
    organization_disabled organization_restricted access_denied invalidapikey
    accessdeniedexception expiredtokenexception unrecognizedclientexception invalidsignatureexception
    missingauthenticationtokenexception incompletesignatureexception"""
)
ACCOUNT = _any(
    UNPAID.pattern,
    r"(your )?credit balance is too low",
    r"you exceeded your current quota, please check your plan and billing",
    r"this request requires more credits",
    r"billing hard limit",
    r"(invalid|incorrect|missing|no|expired|bad or missing) "
    r"(api[ -]?key|api token|authentication|credentials)\b",
    r"(the |your )?(provided )?api[ -]?key (is |was )?"
    r"(not valid|invalid|expired|not found|disabled|revoked|missing)",
    r"authentication (error|fails|failed)\b|invalid x-api-key|unauthori[sz]ed\b|invalid bearer token",
    r"this (api key|account|organization) has been (disabled|deactivated|revoked)",
    r"organization has been restricted",
    r"permission denied: consumer|the caller does not have permission|permission .{1,80} denied on resource",
    r"method doesn't allow unregistered callers|requests? (to this api|from) .{1,120} (are |is )?blocked",
    r"\S+ api has not been used in project|vertex ai api has not been used|this api method requires billing",
    r"access denied, please make sure your account",
    r"(an error occurred \(\w+\) when calling the \w+ operation: )?"
    r"(the security token included in the request|user: \S+ is not authorized"
    r"|you don't have access to the model|the request signature we calculated|operation not allowed)",
    r"user location is not supported",
)

# The endpoint has no such model, or the model no such operation.
UNSUPPORTED_CODES = _codes(
    """model_not_found deploymentnotfound operationnotsupported model_decommissioned model_not_available
    model_deprecated unsupported_model resourcenotfoundexception"""
)
UNSUPPORTED = _any(
    r"model not exist",
    r"invalid model: ",
    r"\S+ is not a valid model id",
    r"the model \S+ (does not exist|has been d\w+)",
    r"the provided model identifier is invalid|invocation of model id \S+ with on-demand throughput",
    r"the \w+ operation does not work with the specified model",
    r"\S+ does not support (chat|generate|embed|completion)",
)

# The prompt does not fit the model.
TOO_LONG_CODES = _codes(
    """context_length_exceeded context_window_exceeded exceed_context_size_error token_limit_exceeded
    model_max_prompt_tokens_exceeded"""
)
# OpenAI names the field, and of others this is no matter of the context.
LONG_FIELD = re.compile(r"^invalid '(messages|input|prompt)[^']*': string too long", re.IGNORECASE)
TOO_LONG = _any(
    r"maximum context (length|size|window|limit)",
    r"exceeds? (the |this |its )?(model'?s? )?(maximum |available )?context (length|window|size|limit)",
    r"context (length|window|size|limit)( was| is| has been)? exceed(ed|s limit)",
    r"(longer|greater|larger) than the (maximum )?(model'?s? )?(maximum )?(context|model) length",
    r"(prompt|input) (is )?too (long|large)\b",
    r"(prompt|input|messages?)( length| tokens?)? exceeds? (the )?max",
    r"exceeds? (the )?(model'?s )?(maximum|max|allowed) (allowed )?(number of )?(input |prompt )?"
    r"(tokens|length)\b",
    r"too many (input |prompt )?tokens(?!,? (please wait|processed))",
    r"input token count is \d+ but",
    r"input tokens exceed the configured limit",
    r"reduce the length of (the |your )?(messages|prompt|input|text)|reduce your prompt",
    r"maximum (prompt|input) length is \d+",
    r"range of input length should be",
    r"current length is \d+ while limit is",
    r"prompt token count of \d+ exceeds",
    r"exceeded model token limit",
    r"prompt tokens \(\d+\) exceed",
    r"input length should not exceed|prompt: length: 1\.\.",
    r"must have less than \d+ tokens|… tokens \+ … must be <=",
    r"#/(prompt|messages|inputtext)\S*: expected maxlength",
)

# A content policy refused the prompt or the answer.
POLICY_CODES = _codes(
    """content_policy_violation content_policy content_filter responsibleaipolicyviolation flagged_input
    data_inspection_failed datainspectionfailed moderation_blocked contentfilter"""
)
_BY = (
    r"(content[ -](management |moderation |safety )?(policy|policies|filter\w*)"
    r"|safety (system|filter|check)\w*|usage (policy|policies|guidelines)|moderation|responsible ai"
    r"|guardrails?)\b"
)
POLICY = _any(
    r"\b(filtered|rejected|blocked|refused|flagged|violat(es?|ed|ing)|triggering)\b.{0,90}?\b" + _BY,
    r"\b" + _BY + r".{0,40}\b(violat\w+|blocked|rejected|refused|intervened|triggered|flagged)\b",
    r"the response was blocked|(input|prompt|request|content) (was|has been|is) flagged",
    r"content exists risk|considered high risk|(unsafe|inappropriate) (or sensitive )?content"
    r"|sensitive words",
)

# The provider could not fetch or read what the request points at. Also told with 5xx, so the thing is named.
MEDIA_CODES = _codes("invalid_image_url image_download_failed invalid_request_file")
_THING = r"(images?|pictures?|media|multimodal|video|audio|the provided url|verify the url)"
MEDIA = _any(
    r"\b(error|time-?out|timed out) while downloading\b",
    r"\b(fail\w*|unable|cannot|can't|could not|couldn't) (to )?(download|fetch|retrieve|get)\b.{0,60}?\b"
    + _THING,
    r"\b(images?|files?|media|pictures?)\b.{0,60}\bcould not be (fetched|downloaded|retrieved|loaded from)",
    r"could not process (the |input )?image|fail\w* to load image:|fetching (the )?(image|media) failed",
    r"download the media resource timed out|the website's robots\.txt",
)

# One request against a limit of tokens a minute: its size against the limit, where both are told.
LIMIT_AND_REQUESTED = re.compile(r"\blimit:? ([\d,]*\d)\b.{0,60}?\brequested:? ([\d,]*\d)", re.IGNORECASE)
# Anthropic's text is the same for any request over the limit; its headers tell.
ANTHROPICS_LIMIT = re.compile(r"would exceed .{0,120}? (input|output) tokens per minute", re.IGNORECASE)
TOO_LARGE = _any(r"request too large for", r"extra usage is required for long context requests")
