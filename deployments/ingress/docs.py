"""The page at /docs: the OpenAPI document for people, without scripts. Used by `ingress/http.py`."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import orjson
from jinja2 import Environment, select_autoescape

_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>{{ info.title }}</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<style>
 :root { color-scheme: light dark }
 body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem }
 code, .verb { font-family: ui-monospace, monospace } .verb { font-weight: 700; min-width: 4rem }
 details { border-top: 1px solid #8884; padding: .5rem 0 } summary { cursor: pointer }
 table { border-collapse: collapse; margin: .5rem 0 } td, th { text-align: left; padding: .2rem .8rem .2rem 0;
 vertical-align: top } h2 { margin-top: 2rem } .dim { opacity: .7 }
</style></head><body>
<h1>{{ info.title }}</h1>
<p>{{ info.description }} Machine-readable: <a href="/openapi.json">/openapi.json</a>. The same service speaks
gRPC (reflection is on). Errors are <code>google.rpc.Status</code>; under <code>/v1</code> they have OpenAI's
or Anthropic's shape. All name the trace, as every answer's <code>x-voyager-trace-id</code> does, and what
each attempt showed.</p>
<p>A request may say until when it waits (<code>x-voyager-timeout-ms</code>), as part of which trace it comes
(<code>traceparent</code>, <code>x-trace-id</code>) and of which session (<code>x-session-id</code>).</p>
{% for tag, operations in tags.items() %}<h2 id="{{ tag }}">{{ tag }}</h2>
{% for o in operations %}<details id="{{ o.operationId }}"><summary><span class="verb">{{ o.verb }}</span>
<code>{{ o.path }}</code> <span class="dim">{{ o.operationId }}</span></summary>
{% if o.description %}<p>{{ o.description }}</p>{% endif %}
{% if o.parameters %}<table>{% for p in o.parameters %}<tr><td><code>{{ p.name }}</code></td>
<td class="dim">{{ p.in }}</td><td>{{ p.schema.type or "string" }}</td></tr>{% endfor %}</table>{% endif %}
{% if o.request %}<p>Body: <a href="#schema-{{ o.request }}"><code>{{ o.request }}</code></a></p>{% endif %}
{% if o.answer %}<p>Answer: <a href="#schema-{{ o.answer }}"><code>{{ o.answer }}</code></a></p>{% endif %}
</details>{% endfor %}{% endfor %}
<h2>Schemas</h2>
{% for name, schema in components.schemas.items() %}<h3 id="schema-{{ name }}"><code>{{ name }}</code></h3>
{% if schema.description %}<p>{{ schema.description }}</p>{% endif %}
<table>{% for field, f in schema.properties.items() %}<tr><td><code>{{ field }}</code></td><td class="dim">
{{- f | kind }}</td><td>{{ f.description or "" }}</td></tr>{% endfor %}</table>
{% endfor %}</body></html>
"""


@lru_cache(maxsize=1)
def docs_page(openapi: bytes) -> bytes:
    """The page for a document."""
    document: dict[str, Any] = orjson.loads(openapi)
    tags: dict[str, list[dict[str, Any]]] = {}
    for path, verbs in document["paths"].items():
        for verb, operation in verbs.items():
            shown = {**operation, "verb": verb.upper(), "path": path, **_references(operation)}
            tags.setdefault(operation["tags"][0], []).append(shown)
    environment = Environment(autoescape=select_autoescape(default=True, default_for_string=True))
    environment.filters["kind"] = _kind
    return environment.from_string(_PAGE).render(tags=tags, **document).encode()


def _references(operation: dict[str, Any]) -> dict[str, str]:
    body = operation.get("requestBody", {}).get("content", {})
    answers = next(iter(operation["responses"].values())).get("content", {})
    return {"request": _schema_name(body), "answer": _schema_name(answers)}


def _schema_name(content: dict[str, Any]) -> str:
    schema = next(iter(content.values()), {}).get("schema", {})
    return schema.get("$ref", "").rsplit("/", 1)[-1]


def _kind(schema: dict[str, Any]) -> str:
    if "$ref" in schema:
        return schema["$ref"].rsplit("/", 1)[-1]
    if schema.get("type") == "array":
        return f"list of {_kind(schema['items'])}"
    return schema.get("format") or schema.get("type") or "any value"
