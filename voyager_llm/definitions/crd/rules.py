"""Rules between fields, as CEL for the API server. Pydantic states the same rules in `voyager_llm/domain/`.

Each rule stands with the message that both must give; `tests/crd/` holds them to it, one bad manifest a
rule. Optional fields need `has()`: nothing is defaulted on the server. Used by `schema.py`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from voyager_llm.domain.providers import NAMES, provider


@dataclass(frozen=True, slots=True)
class Rule:
    """One `x-kubernetes-validations` entry: it holds where ``cel`` is true of ``self``."""

    cel: str
    message: str = ""
    # A CEL expression for the message, where it depends on the value.
    message_expression: str = ""

    def schema(self) -> dict[str, str]:
        """The entry as it stands in a CRD."""
        given = {"rule": self.cel, "message": self.message, "messageExpression": self.message_expression}
        return {name: text for name, text in given.items() if text}


# Providers that run inside a cluster, where a mesh or nothing encrypts. The addresses of all others are
# public: a key must not travel to them in the clear.
OPEN_PROVIDERS = ("custom", "ollama", "vllm")

# Those that have no address of their own.
_PLACED = sorted(name for name in NAMES if provider(name).needs_endpoint)

_URL = (
    Rule(
        "self == '' || (isURL(self) && url(self).getScheme() in ['http', 'https']"
        " && url(self).getHost() != '')",
        "must be an http:// or https:// URL with a host",
    ),
    Rule(
        "!self.matches('^[a-z]+://[^/?#]*@')",
        "must not carry credentials; use authentication.secret_ref",
    ),
    Rule(
        "!self.matches('[?#\\\\\\\\[:space:][:cntrl:]]')",
        "must not contain a query, fragment, blanks, backslashes or control characters",
    ),
    # The address of a host is one of four numbers, or stands in brackets; all other forms are somebody's own.
    Rule(
        "self == '' || self.matches('^https?://(([A-Za-z0-9_-]+[.])*[A-Za-z0-9_-]*[A-Za-z_-][A-Za-z0-9_-]*[.]?"
        "|[0-9]{1,3}([.][0-9]{1,3}){3}|\\\\[[0-9A-Fa-f:.]+\\\\])(:[0-9]*)?([/?]|$)')",
        "must name its host in ASCII letters, digits and hyphens, an address as 192.0.2.1 or [2001:db8::1]",
    ),
    Rule(
        "!self.matches('^https?://(169\\\\.254\\\\.|\\\\[fe[89ab]|(metadata|instance-data|metadata\\\\.google\\\\.internal)"
        "\\\\.?([:/]|$))')",
        "link-local and metadata addresses are refused",
    ),
)  # fmt: skip

_ALIASES = (
    Rule(
        # What Python calls printable, and of blanks the plain one, between others.
        "self.all(a, a.matches('^[^\\\\p{C}\\\\p{Z}]+( +[^\\\\p{C}\\\\p{Z}]+)*$'))",
        "aliases must be printable, without blanks at their ends",
    ),
    Rule("self.all(a, !a.startsWith('prompt:'))", "aliases must not begin with prompt:"),
    Rule("self.all(a, self.exists_one(b, a == b))", "aliases must differ"),
)

# By the name of the pydantic class whose schema carries them.
RULES: Mapping[str, tuple[Rule, ...]] = {
    "ModelSpec": (
        Rule(
            "self.provider == oldSelf.provider",
            "provider cannot be changed; make another ModelDefinition",
        ),
        Rule(
            f"!(self.provider in {_PLACED}) || (has(self.endpoints) && has(self.endpoints.primary)"
            " && self.endpoints.primary != '')",
            message_expression="'endpoints.primary is required when provider is ' + self.provider",
        ),
        Rule(
            f"self.provider in {list(OPEN_PROVIDERS)} || !has(self.endpoints)"
            " || ((!has(self.endpoints.primary) || !self.endpoints.primary.startsWith('http:'))"
            " && (!has(self.endpoints.backup) || !self.endpoints.backup.startsWith('http:')))",
            message_expression="'endpoints must use https when provider is ' + self.provider",
        ),
    ),
    "ModelSpec.aliases": _ALIASES,
    "PromptSpec.aliases": (
        *_ALIASES,
        Rule(
            "self.all(a, !a.contains('@'))",
            "aliases of a prompt must not contain @, which a version follows",
        ),
    ),
    "RouteSpec.aliases": _ALIASES,
    "Endpoints": (
        Rule(
            "!has(self.backup) || self.backup == '' || !has(self.primary) || self.backup != self.primary",
            "backup must differ from primary",
        ),
        Rule(
            "!has(self.backup) || self.backup == '' || (has(self.primary) && self.primary != '')",
            "backup needs a primary",
        ),
    ),
    "Endpoints.primary": _URL,
    "Endpoints.backup": _URL,
    "Authentication": (
        Rule(
            "!has(self.type) || self.type == 'none' || has(self.secret_ref)",
            message_expression="'secret_ref is required when type is ' + self.type",
        ),
        Rule(
            "!has(self.secret_ref) || (has(self.type) && self.type != 'none')",
            "secret_ref needs type bearer_token or api_key",
        ),
    ),
    "PromptSpec": (
        Rule(
            "self.version != oldSelf.version || self == oldSelf",
            "a version's content cannot be changed; raise version",
        ),
        Rule(
            "(has(self.template) && self.template != '') != (has(self.messages) && size(self.messages) > 0)",
            "give either template or messages",
        ),
    ),
    "PromptSpec.version": (
        Rule(
            "self.matches('^(0|[1-9][0-9]{0,8})\\\\.(0|[1-9][0-9]{0,8})\\\\.(0|[1-9][0-9]{0,8})"
            "(-[0-9A-Za-z-]+(\\\\.[0-9A-Za-z-]+)*)?(\\\\+[0-9A-Za-z-]+(\\\\.[0-9A-Za-z-]+)*)?$')",
            message_expression="\"version '\" + self + \"' is not semantic (e.g. 1.2.0)\"",
        ),
    ),
    "Parameter": (
        Rule(
            "!has(self.default) || !has(self.enum) || size(self.enum) == 0 || self.default in self.enum",
            "default is not among enum",
        ),
        Rule(
            "!has(self.type) || self.type != 'enum' || (has(self.enum) && size(self.enum) > 0)",
            "a parameter of type enum needs its enum values",
        ),
        Rule(
            "!has(self.default) || (has(self.type) && self.type == 'enum')"
            " || ((has(self.type) && self.type == 'integer') == (type(self.default) == int))",
            "default must be an integer when type is integer, else a string; write other types as JSON text",
        ),
    ),
    "EvaluationSpec": (
        Rule(
            "self.metrics.map(m, m.weight).sum() > 0.999999"
            " && self.metrics.map(m, m.weight).sum() < 1.000001",
            "metric weights must sum to 1",
        ),
    ),
    "Schedule": (
        Rule(
            "(has(self.frequency) && self.frequency != '') != (has(self.cron) && self.cron != '')",
            "give either frequency (with time) or cron",
        ),
    ),
    "Schedule.time": (
        Rule("self.matches('^([01][0-9]|2[0-3]):[0-5][0-9]$')", "must be HH:MM, from 00:00 to 23:59"),
    ),
    "Schedule.cron": (
        Rule(
            "self == '' || self.matches('^[0-9*/,-]+( [0-9A-Za-z*/,-]+){4}$')",
            "must have the five fields of a cron schedule, e.g. 0 2 * * *",
        ),
    ),
    "Thresholds": (
        Rule(
            "(has(self.minimum_score) ? self.minimum_score : 0.0)"
            " <= (has(self.warning_score) ? self.warning_score : 0.0)"
            " && (has(self.warning_score) ? self.warning_score : 0.0)"
            " <= (has(self.target_score) ? self.target_score : 1.0)",
            "must be ordered: minimum_score <= warning_score <= target_score",
        ),
    ),
}  # fmt: skip
