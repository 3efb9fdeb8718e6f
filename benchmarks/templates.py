"""What defining and rendering a prompt costs: CPU time of ordinary ones, in microseconds.

    python -m benchmarks.templates

To compare two versions of the code, run it with each on ``PYTHONPATH``, in turn.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from voyager_llm.domain.prompt import PromptDefinition
from voyager_llm.templating.render import check_prompt, render

_GREETING = "Say hello to {{who}} in {{n}} words."
_SPECIFICATION = """You are an expert developer.
Requirements: {{requirements}}
Domain: {{domain}}
Complexity: {{complexity}}
"""
_DOCUMENTS = """{% for d in documents if d.score >= 0.5 %}[{{ loop.index }}] {{ d.title }}
{{ d.text }}
{% endfor %}Question: {{ question }}"""
_SUPPORT = """You are {{ persona | default('a helpful agent', true) }}.
{% if history %}Earlier:
{% for turn in history %}{{ loop.index }}. {{ turn.role | upper }}: {{ turn.text | trim }}
{% endfor %}{% else %}This is the first message.
{% endif %}Topics: {{ topics | join(', ') }}.
Customer inquiry: {{ inquiry }}
{% if urgent and limit > 100 %}Answer within {{ limit // 2 }} words.{% endif %}"""

ORDINARY: dict[str, tuple[str, dict[str, Any]]] = {
    "greeting": (_GREETING, {"who": "Ada", "n": 5}),
    "specification": (
        _SPECIFICATION,
        {"requirements": "sort a list " * 20, "domain": "web", "complexity": "low"},
    ),
    "support": (
        _SUPPORT,
        {
            "persona": "", "inquiry": "My parcel did not arrive. " * 10, "urgent": True, "limit": 300,
            "topics": ["orders", "parcels", "money"],
            "history": [{"role": "user", "text": f" message {i} " * 5} for i in range(10)],
        },
    ),
    "documents": (
        _DOCUMENTS,
        {
            "question": "why?",
            "documents": [
                {"title": f"t{i}", "score": i / 40, "text": "lorem ipsum " * 100} for i in range(40)
            ],
        },
    ),
    "long text": ("Summarise:\n{{ text }}", {"text": "lorem ipsum " * 50_000}),
}  # fmt: skip

_KINDS = {str: "string", bool: "boolean", int: "integer", float: "number", list: "list", dict: "object"}


def prompt_of(template: str, variables: dict[str, Any]) -> PromptDefinition:
    parameters = [{"name": name, "type": _KINDS[type(value)]} for name, value in variables.items()]
    return PromptDefinition.model_validate(
        {"name": "p", "version": "1.0.0", "template": template, "parameters": parameters}
    )


def microseconds(work: Callable[[], object], seconds: float = 0.2, rounds: int = 7) -> float:
    """CPU time of one call: the best of some rounds."""
    times = 1
    best = float("inf")
    for _ in range(rounds):
        while True:
            start = time.process_time()
            for _ in range(times):
                work()
            spent = time.process_time() - start
            if spent >= seconds:
                break
            times *= 2
        best = min(best, spent / times)
    return best * 1e6


def main() -> None:
    print(f"{'':16}{'define':>10}{'render':>10}")
    for name, (template, variables) in ORDINARY.items():
        prompt = prompt_of(template, variables)
        define = microseconds(lambda of=prompt: check_prompt(of))
        rendering = microseconds(lambda of=prompt, by=variables: render(of, by))
        print(f"{name:16}{define:10.1f}{rendering:10.1f}")


if __name__ == "__main__":
    main()
