"""The dialect is Jinja2's: what both can render, both render alike; where ours differs, it is said here."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, reject, settings
from hypothesis import strategies as st
from jinja2 import Environment, StrictUndefined, UndefinedError

from voyager_llm.errors import RenderFailed, TemplateInvalid
from voyager_llm.templating.budget import Budget
from voyager_llm.templating.syntax import Tokens
from voyager_llm.templating.template import compiled
from voyager_llm.templating.values import text

PLAIN = Environment(undefined=StrictUndefined, finalize=text, keep_trailing_newline=True)

VARIABLES: dict[str, Any] = {
    "s": "  Hello, World and (other) worlds.\n\n  It's a-ok: ÄÖ straße\n",
    "n": 42,
    "f": 3.14159,
    "yes": True,
    "nothing": None,
    "words": ["pear", "Apple", "fig", "apple", "Banana"],
    "numbers": [3, 1, 2, 3, 10],
    "o": {"city": "Rome", "b": 2, "A": 1, "address": {"street": "Via"}},
    "rows": [
        {"name": "b", "age": 30, "tags": ["x"]},
        {"name": "A", "age": 20, "tags": []},
        {"name": "c", "age": 25, "tags": ["y", "z"]},
    ],
}

# Expressions; each is shown as it is and, so that lists can be compared, as its parts.
EXPRESSIONS = """
s | trim | upper
s | lower
s | title
s.title()
s | capitalize
s | wordcount
s | truncate(20)
s | truncate(20, true)
s | truncate(20, false, '~', 0)
s | truncate(length=9, end='')
s | replace('o', '0')
s | replace('o', '0', 1)
s | indent
s | indent(2, true)
s | indent(width=3, blank=true)
s | indent('> ', first=true)
s | length
s | reverse
s | list | length
s | trim('. \\n') ~ '|'
s | first ~ s | last
s.strip() ~ s.lstrip() ~ s.rstrip()
s.strip('. \\n')
s.split()
s.split('o')
s.split(' ', 2)
s.splitlines()
s.startswith('  H')
s.endswith('x')
s.count('o')
s.find('World')
s.replace('l', 'L')
', '.join(words)
s[2:7]
s[-3:]
s[::-1]
s[2]
'World' in s
'x' not in s
n + 1 - 2 * 3 / 4
n // 5 ~ n % 5
-n
+n
n / 7
n * f
f | round
f | round(2)
f | round(1, 'ceil')
f | round(2, 'floor')
1234.5 | round(-2)
n | string ~ 'x'
'42' | int + 1
'4x' | int
'4x' | int(7)
'0x1f' | int(base=16)
'42.7' | int
'4.5' | float
'x' | float(1.5)
-5 | abs
1 < 2 < 3
n == 42 and f > 3
n != 42 or not yes
n is even
n is odd
n is divisibleby 7
n is number and s is string and o is mapping and words is sequence
nothing is none
yes is true
f is float and n is integer
s is lower
'ABC' is upper
n is gt(3)
n is in [1, 42]
missing_not is defined
o.missing is defined
o.missing | default('none')
'' | default('empty', true)
'' | default('kept')
nothing | default('x')
o.city
o['city']
o.address.street
o.get('city')
o.get('nope', 'fallback')
o.keys() | list
o.values() | list | length
o | items | list
o | dictsort
o | dictsort(true)
o | length
'city' in o
words | sort
words | sort(reverse=true)
words | sort(case_sensitive=true)
words | unique | list
words | join(', ')
words | first ~ words | last
words | length ~ words | count
words | reverse | list
words | map('upper') | list
words | map('truncate', 4, true, '', 0) | join('/')
words | select('ne', 'fig') | list
words | reject('in', ['fig', 'pear']) | list
words[1:3]
words[-1]
words + ['plum']
'fig' in words
words.count('fig')
numbers | sum
numbers | sum(start=10)
numbers | max ~ numbers | min
numbers | sort | join('<')
numbers | select('odd') | list
numbers | select | list
numbers == [3, 1, 2, 3, 10]
numbers < [3, 2]
[1, [2, 3]] == [1, [2, 3]]
rows | map(attribute='name') | join(', ')
rows | map(attribute='zip', default='?') | join(', ')
rows | sum(attribute='age')
rows | join(', ', attribute='name')
(rows | sort(attribute='age'))[0].name
(rows | max(attribute='age')).name
rows | selectattr('age', 'gt', 22) | map(attribute='name') | list
rows | rejectattr('tags') | map(attribute='name') | list
rows | selectattr('tags') | list | length
rows | unique(attribute='age') | list | length
[1, 2, 3][1]
{'a': n, 'b': [n]}['b'][0]
'yes' if yes else 'no'
'yes' if n < 0 else 'no'
range(3) | list
range(10, 0, -3) | list
1.0
1e3
10_000
0x1f
'a' 'b'
'tab\\t"quoted"'
nothing
yes
""".strip().splitlines()

TEMPLATES = [
    "plain text only\n",
    "{# a comment #}x{# another #}",
    "{% raw %}{{ not }} {% a tag %}{% endraw %}",
    "a  {%- if yes -%}  b  {%- endif -%}  c",
    "a\n{%+ if yes +%}\nb{% endif %}",
    "{% for w in words %}{{ loop.index }}/{{ loop.length }}{{ w }}{{ ', ' if not loop.last }}{% endfor %}",
    "{% for w in words %}{{ loop.index0 }}{{ loop.revindex }}{{ loop.first }}{% endfor %}",
    "{% for w in words %}{{ loop.revindex0 }}{{ loop.last }}{% endfor %}",
    "{% for w in words %}{{ loop.cycle('odd', 'even') }}{% endfor %}",
    "{% for w in words %}{% if not loop.first %}{{ loop.previtem }}{% endif %}{% endfor %}",
    "{% for w in words %}{{ loop.nextitem | default('end') }}{% endfor %}",
    "{% for w in words if w != 'fig' %}{{ loop.index }}{{ w }}{{ loop.last }}{% endfor %}",
    "{% for w in [] %}x{% else %}none{% endfor %}",
    "{% for k, v in o.items() %}{{ k }}={{ v }};{% endfor %}",
    "{% for k, v in o | dictsort %}{{ k }};{% endfor %}",
    "{% for k in o %}{{ k }}{% endfor %}",
    "{% for c in 'abc' %}{{ c }}-{% endfor %}",
    "{% for r in rows %}{% for t in r.tags %}{{ t }}{% else %}-{{ loop.index }}{% endfor %}{% endfor %}",
    "{% set a = 1 %}{% for i in [1, 2] %}{{ a }}{% set a = 5 %}{{ a }}{% endfor %}{{ a }}",
    "{% set a = 1 %}{% if yes %}{% set a = 2 %}{% endif %}{{ a }}",
    "{% set a, b = [1, 2] %}{{ a }}{{ b }}",
    "{% with a = 1, b = n %}{{ a + b }}{% set n = 3 %}{{ n }}{% endwith %}{{ n }}",
    "{% with %}{% set n = 3 %}{{ n }}{% endwith %}{{ n }}",
    "{% set n = n + 1 %}{{ n }}",
    "{% if n > 50 %}a{% elif n > 40 %}b{% elif n > 30 %}c{% else %}d{% endif %}",
    "{% if words and not nothing %}x{% endif %}{% if o %}y{% endif %}{% if [] %}z{% endif %}",
    "{% for i in range(3) %}{% for j in range(i) %}{{ i }}{{ j }} {% endfor %}{% endfor %}",
    "{% print(n) %}",
    "{{ s }}{{ n }}{{ f }}{{ yes }}{{ nothing }}{{ words }}{{ o }}",
    "{% set parts = [s | trim, n | string] %}{{ parts | join(': ') }}",
    *[f"{{{{ {expression} }}}}" for expression in EXPRESSIONS],
    *[f"{{% for part in {e} %}}{{{{ part }}}};{{% endfor %}}" for e in EXPRESSIONS if e.endswith("list")],
]


def ours(source: str, variables: dict[str, Any]) -> str:
    return compiled(source, Tokens()).render(variables, Budget())


@pytest.mark.parametrize("source", TEMPLATES)
def test_an_ordinary_template_renders_as_with_jinja2(source: str) -> None:
    assert ours(source, VARIABLES) == PLAIN.from_string(source).render(VARIABLES)


# Statements that set, read and shadow two names, in every nesting.
_SIMPLE = st.sampled_from(
    [
        "{{ a }}",
        "{{ b }}",
        "{% set a = 2 %}",
        "{% set b = a %}",
        "{% set a = a + 1 %}",
        "{% set a, b = [b, a] %}",
        "|",
    ]
)
_NESTED = st.recursive(
    _SIMPLE,
    lambda inner: st.builds(
        lambda frame, body: frame.replace("BODY", "".join(body)),
        st.sampled_from(
            [
                "{% if a > 1 %}BODY{% endif %}",
                "{% if b > 1 %}BODY{% else %}{{ a }}BODY{% endif %}",
                "{% for i in [1, 2] %}BODY{% endfor %}",
                "{% for a in [b, 3] %}BODY{% endfor %}",
                "{% for b in [] %}x{% else %}BODY{% endfor %}",
                "{% for b in [1, 2, 3] if b != a %}{{ loop.index }}BODY{% endfor %}",
                "{% with a = b %}BODY{% endwith %}",
                "{% with b = 7, a = b %}BODY{% endwith %}",
            ]
        ),
        st.lists(inner, min_size=1, max_size=4),
    ),
    max_leaves=12,
)


@settings(max_examples=300)
@given(st.lists(_NESTED, max_size=6).map("".join))
def test_names_have_the_scopes_that_they_have_with_jinja2(source: str) -> None:
    variables = {"a": 1, "b": 0}
    try:
        expected = PLAIN.from_string(source).render(variables)
    except UndefinedError:  # Jinja2 forgets a variable that is set after the block that reads it
        reject()
    assert ours(source, variables) == expected


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("{{ [yes ~ nothing] }}", '["true"]'),  # as they are shown, not as Python writes them
        ("{{ o.items }}", "1"),  # an object's own key comes before the method
        ("{{ o.items() | length }}", "1"),
        ("{{ words | map('upper') }}", '["A","B"]'),  # a list, where Jinja2 has a generator
        ("{{ (1, 2) }}", "[1,2]"),
        ("{{ 'x' if nothing }}", ""),
        ("{{ [1, 1.0, '1'] | unique }}", '[1,1.0,"1"]'),
        ("{{ {'k': 1} | tojson }}", '{"k":1}'),
        ("{{ none | default('x') }}|{{ nothing | default('x', true) }}", "|x"),
    ],
)
def test_where_the_dialect_differs_from_jinja2(source: str, expected: str) -> None:
    assert ours(source, {"yes": True, "nothing": None, "o": {"items": 1}, "words": ["a", "b"]}) == expected


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("\n\n{{ o.missing }}", "line 3: 'dict object' has no attribute 'missing'"),
        ("{{ 1 / 0 }}", "line 1: division by zero"),
        ("{{ 'a'|truncate(-5) }}", "line 1: length must be a whole number from 3 to"),
        ("{{ 1 + 'a' }}", "line 1: expected a number, not text"),
        ("{{ words|sum }}", "line 1: expected a number, not text"),
        ("{{ {1: 2} }}", "line 1: expected text, not a number"),
        ("{% for a, b in words %}{% endfor %}", "line 1: expected a list of 2 values, not text"),
        ("{{ [1, 'a']|sort }}", "line 1: values of these kinds cannot be compared or combined"),
        ("{% for i in range(10 ** 9) %}{% endfor %}", "** is not available"),
        ("{% for i in range(1000000000) %}{% endfor %}", "line 1: rendering takes more than 500000 steps"),
    ],
)
def test_a_failure_says_line_and_reason(source: str, reason: str) -> None:
    with pytest.raises((RenderFailed, TemplateInvalid)) as caught:
        ours(source, {"o": {}, "words": ["ab", "c"]})
    assert reason in caught.value.message
