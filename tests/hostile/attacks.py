"""Attacks on templates: what to define, and with which variables to render it. Run by `child.py`.

They are built when they are run: some are megabytes long.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

MEGABYTE = 1_000_000


@dataclass(frozen=True)
class Attack:
    """One message, or several, and the variables. ``defaults`` become defaults of the parameters."""

    source: str | tuple[str, ...]
    variables: dict[str, Any] = field(default_factory=dict)
    defaults: dict[str, Any] = field(default_factory=dict)


def doubled(by: str, start: str, times: int = 60, name: str = "a") -> str:
    """A value that is made of two of the value before it, by ``set``."""
    return f"{{% set {name} = {start} %}}" + f"{{% set {name} = {by} %}}" * times


def withs(use: str, times: int = 60) -> str:
    """The same by ``with``."""
    opened = "{% with a = [1] %}" + "{% with a = [a, a] %}" * times
    return opened + use + "{% endwith %}" * (times + 1)


def nested(levels: int, core: Any = 1) -> Any:
    for _ in range(levels):
        core = [core]
    return core


def colliding(count: int) -> list[int]:
    """Whole numbers with one hash."""
    return [1 + i * (2**61 - 1) for i in range(count)]


def literal(values: list[int]) -> str:
    return f"[{','.join(map(str, values))}]"


DOUBLED = doubled("[a, a]", "[1]")
PAIRS = DOUBLED + doubled("[b, b]", "[1]", name="b")
LOOPS = "{% for i in range(300) %}"
TEXT = "a" * MEGABYTE


def in_loops(body: str, depth: int = 3) -> str:
    return LOOPS * depth + body + "{% endfor %}" * depth


def repeated(body: str, times: int = 20_000) -> str:
    return f"{{% for i in range({times}) %}}{body}{{% endfor %}}"


# Sources of which each is an attack by itself.
PLAIN: dict[str, Callable[[], str]] = {
    "round to a huge precision": lambda: "{{ 1|round(30000000,'ceil') }}",
    "round to a huge negative precision": lambda: "{{ 1|round(-30000000,'floor') }}",
    "round a huge number": lambda: "{{ 1e308|round(20,'ceil') }}",
    "round infinity": lambda: "{{ 1e999|round(0,'floor') }}",
    "round by a fraction": lambda: "{{ 1.5|round(1.5) }}",
    "show a value doubled by set": lambda: DOUBLED + "{{ a }}",
    "show a value doubled by with": lambda: withs("{{ a }}", 50),
    "show a value doubled in loops": lambda: "{% set a = [1] %}"
    + "{% for i in [[a, a]] %}{% set a = [i, i] %}" * 40 + "{{ a }}" + "{% endfor %}" * 40,
    "show an object doubled": lambda: doubled("{'x': a, 'y': a}", "{}") + "{{ a }}",
    "show a pair doubled": lambda: doubled("(a, a)", "(1,)") + "{{ a }}",
    "compare doubled values": lambda: PAIRS + "{{ a == b }}",
    "order doubled values": lambda: PAIRS + "{{ a < b }}",
    "look for a doubled value": lambda: PAIRS + "{{ a in [b] }}",
    "test for a doubled value": lambda: PAIRS + "{{ a is in [b] }}",
    "test doubled values for equality": lambda: PAIRS + "{{ a is eq(b) }}",
    "test doubled values for identity": lambda: PAIRS + "{{ a is sameas(b) }}",
    "select by a doubled value": lambda: PAIRS + "{{ [b]|select('eq', a)|list }}",
    "count a doubled value": lambda: PAIRS + "{{ [b].count(a) }}",
    "sort doubled values": lambda: PAIRS + "{{ [a, b, a]|sort }}",
    "unique doubled values": lambda: PAIRS + "{{ [a, b, a]|unique }}",
    "greatest of doubled values": lambda: PAIRS + "{{ [a, b]|max }}",
    "sort an object by doubled values": lambda: PAIRS + "{{ {'x': a, 'y': b}|dictsort(false, 'value') }}",
    "concatenate doubled values": lambda: DOUBLED + "{{ a ~ a }}",
    "join doubled values": lambda: DOUBLED + "{{ [a, a]|join }}",
    "JSON of a doubled value": lambda: DOUBLED + "{{ a|tojson }}",
    "text of a doubled value": lambda: DOUBLED + "{{ a|string|length }}",
    "replace in a doubled value": lambda: DOUBLED + "{{ a|replace('1', '2') }}",
    "truncate a doubled value": lambda: DOUBLED + "{{ a|truncate(9) }}",
    "upper case of a doubled value": lambda: DOUBLED + "{{ a|upper }}",
    "words of a doubled value": lambda: DOUBLED + "{{ a|wordcount }}",
    "a doubled value as a key": lambda: doubled("(a, a)", "(1,)") + "{{ {a: 1} }}",
    "look a doubled value up": lambda: doubled("(a, a)", "(1,)") + "{{ {'x': 1}[a] }}{{ a in {'x': 1} }}",
    "get by a doubled value": lambda: doubled("(a, a)", "(1,)") + "{{ {'x': 1}.get(a) }}",
    "flatten by sum": lambda: "{{ [[1]]|sum(start=[]) }}",
    "flatten doubled values by sum": lambda: DOUBLED + "{{ [a, a]|sum(start=[]) }}",
    "double a list by +": lambda: doubled("a + a", "[1]") + "{{ a|length }}",
    "double a text by +": lambda: doubled("a + a", "'x'") + "{{ a|length }}",
    "double a text by ~": lambda: doubled("a ~ a", "'x'") + "{{ a|length }}",
    "double a text by join": lambda: doubled("[a, a]|join", "'x'") + "{{ a|length }}",
    "double a text by replace": lambda: doubled("a|replace('x', 'xx')", "'x'") + "{{ a|length }}",
    "double a text by the method replace": lambda: doubled("a.replace('x', 'xx')", "'x'") + "{{ a|length }}",
    "double a text by indent": lambda: doubled("a|indent(a, true, true)", "'x\\n'") + "{{ a|length }}",
    "double a text by separator": lambda: doubled("'ab'|join(a)", "'x'") + "{{ a|length }}",
    "square a number": lambda: doubled("a * a", "9") + "{{ a }}",
    "add up a number": lambda: doubled("a + a", "9", 900) + "{{ a }}",
    "shift by **": lambda: "{{ 2 ** 10000000 }}",
    "format with a huge width": lambda: "{{ '%1000000000d' % 1 }}",
    "format by a filter": lambda: "{{ '%1000000000d'|format(1) }}",
    "format by a method": lambda: "{{ '{:1000000000}'.format(1) }}",
    "multiply a text": lambda: "{{ 'x' * 1000000000 }}",
    "multiply a list": lambda: "{{ [1] * 1000000000 }}",
    "a long range": lambda: "{% for i in range(1000000000) %}{% endfor %}",
    "a range that C cannot count": lambda: "{{ range(0, " + "9" * 70 + ") }}",
    "a range without steps": lambda: "{{ range(0, 10, 0) }}",
    "a range of infinity": lambda: "{{ range(1e999) }}",
    "ranges that are kept": lambda: "".join(f"{{% set a{i} = range(100000) %}}" for i in range(100)),
    "loops in loops": lambda: in_loops(""),
    "loops in loops with text": lambda: in_loops("x"),
    "conditions in loops": lambda: in_loops("{% if i == 1 %}{% endif %}"),
    "sets in loops": lambda: in_loops("{% set a = i %}"),
    "filtered loops in loops": lambda: "{% for i in range(900) if i > 900 %}{% endfor %}" * 400,
    "a loop over many names": lambda: "".join(f"{{% set a{i} = 1 %}}" for i in range(900)) + repeated(""),
    "a loop over a long body": lambda: repeated("{{ 1 }}" * 2300),
    "a loop over a huge literal": lambda: repeated(f"{{{{ {literal([1] * 5800)}|length }}}}"),
    "many names in an else": lambda: "".join(f"{{% set a{i} = 1 %}}" for i in range(600))
    + "{% for i in [] %}{% else %}{% endfor %}" * 250,
    "loops deeper than Python allows": lambda: "{% for i in [1] %}" * 25 + "x" + "{% endfor %}" * 25,
    "numbers with one hash, unique": lambda: repeated(f"{{{{ {literal(colliding(5000))}|unique|length }}}}"),
    "numbers with one hash, as keys": lambda: repeated(
        "{{ {" + ",".join(f"{n}:1" for n in colliding(2900)) + "} }}"
    ),
    "a slice of nothing": lambda: "{{ 'abc'[::0] }}",
    "slices by huge numbers": lambda: "{{ 'abc'[" + "9" * 70 + ":-" + "9" * 70 + ":" + "9" * 70 + "] }}",
    "an index out of any range": lambda: "{{ [1][" + "9" * 70 + "] }}",
    "divide by zero": lambda: "{{ 1 / 0 }}{{ 1 % 0 }}{{ 1 // 0 }}",
    "divisible by zero": lambda: "{{ 1 is divisibleby(0) }}",
    "infinity as a whole number": lambda: "{{ 1e999|int }}{{ '1e999'|int }}{{ (1e999 - 1e999)|int }}",
    "multiply infinity": lambda: "{{ 1e308 * 10 * 0 }}{{ 1e308 // 1e-308 }}",
    "truncate to less than nothing": lambda: "{{ 'abc'|truncate(-5) }}",
    "truncate with negative leeway": lambda: "{{ 'abc'|truncate(9, leeway=-5) }}",
    "truncate by text": lambda: "{{ 'abc'|truncate('x') }}",
    "indent by a negative width": lambda: "{{ 'abc'|indent(-5) }}",
    "indent by a huge width": lambda: "{{ 'a\\nb'|indent(10000000000) }}",
    "center": lambda: "{{ 'x'|center(1000000000) }}",
    "wordwrap": lambda: "{{ 'x'|wordwrap(1, wrapstring='y') }}",
    "lipsum": lambda: "{{ lipsum(n=1000000) }}",
    "a namespace": lambda: "{% set n = namespace(a=[1]) %}{% set n.a = [n.a, n.a] %}",
    "a cycler": lambda: "{{ cycler(1).next() }}",
    "batches": lambda: "{{ range(100000)|batch(1000000000, 1)|list }}",
    "slices": lambda: "{{ range(3)|slice(1000000000)|list }}",
    "groups": lambda: "{{ range(3)|groupby('x') }}",
    "a recursive loop": lambda: "{% for i in [1] recursive %}{{ loop([1]) }}{% endfor %}",
    "a recursive macro": lambda: "{% macro f() %}{{ f() }}{{ f() }}{% endmacro %}{{ f() }}",
    "pretty printing": lambda: DOUBLED + "{{ a|pprint }}",
    "a set block": lambda: "{% set a %}x{% endset %}" + "{% set a %}{{ a }}{{ a }}{% endset %}" * 40,
    "a filter block": lambda: "{% filter upper %}x{% endfilter %}",
    "the loop as a value": lambda: "{% for i in [1] %}{{ [loop, loop] }}{% endfor %}",
    "the loop escapes": lambda: "{% for i in [1] %}{% set l = loop %}{{ l }}{% endfor %}",
    "changed doubled values": lambda: PAIRS + "{% for i in [a, b] %}{{ loop.changed(i) }}{% endfor %}",
    "cycle of nothing": lambda: "{% for i in [1] %}{{ loop.cycle() }}{% endfor %}",
    "map of map": lambda: "{{ [[1]]|map('map', 'upper')|list }}",
    "map by a computed name": lambda: "{% set m = 'upper' %}{{ ['a']|map(m)|list }}",
    "map of lists": lambda: repeated("{{ range(1000)|map('string')|map('upper')|join }}"),
    "an attribute with many steps": lambda: doubled("p ~ '.' ~ p", "'a'", 18, "p")
    + "{{ [{'a': 1}]|map(attribute=p)|list }}",
    "half a character": lambda: "{{ '\\ud800' }}",
    "half a character in a list": lambda: "{{ ['\\ud800'] }}",
    "control characters": lambda: "{{ '\\x00\\x1b' }}",
    "a wrong escape": lambda: "{{ '\\N{NO SUCH CHARACTER}' }}{{ '\\x' }}",
    "attributes of Python": lambda: "{{ ''.__class__.__mro__ }}",
    "calling a text": lambda: "{{ 'x'() }}",
    "unpack a number": lambda: "{% for a, b in [1] %}{% endfor %}",
    "unpack too much": lambda: "{% set a, b = [1, 2, 3] %}",
    "compare text with numbers": lambda: "{{ 1 < 'a' }}",
    "sort a mixture": lambda: "{{ [1, 'a', none, {}]|sort }}",
    "objects in order": lambda: "{{ {} < {} }}",
    "arguments with stars": lambda: "{{ 'a'|replace(*['a', 'b']) }}{{ 'a'|join(**{'d': 1}) }}",
    "too many arguments": lambda: "{{ 'a'|upper(1, 2, 3) }}",
    "a wrong argument's name": lambda: "{{ 'a'|upper(budget=3) }}",
    "a function by name": lambda: "{{ [1]|map(function='upper') }}{{ [1]|select(test='odd') }}",
    "budget by name": lambda: "{{ 'a'|default(value=3) }}",
    "a slice in a tuple": lambda: "{{ [1][0:1, 0] }}{{ [1][0:1, 0:1] }}",
    "a filter's name of many parts": lambda: "{{ 1|" + "a." * 5_000 + "a }}",
    "a name of many parts in a tag": lambda: "{% " + "a" * 99 + " %}",
    "a keyword given twice": lambda: "{{ 'a'|join(d=1, d=2) }}",
}  # fmt: skip

# Sources that cost something while they are lexed, parsed and checked.
LEXED: dict[str, Callable[[], str]] = {
    "many small tags": lambda: "{{a}}" * 40_000,
    "as many small tags as may be": lambda: "{{1}}" * 3_990,
    "many comments": lambda: "{##}" * 50_000,
    "many raw blocks": lambda: "{% raw %}{% endraw %}" * 3_900,
    "an open raw block": lambda: "{% raw %}" + "{%" * 95_000,
    "an open raw block with spaces": lambda: "{% raw %}" + ("{%" + " " * 1000) * 190,
    "an open comment": lambda: "{#" + "-" * 199_000,
    "an open comment with dashes and spaces": lambda: "{#" + "-# " * 60_000,
    "an open tag": lambda: "{{" * 100_000,
    "an open block": lambda: "{%" * 100_000,
    "an open text": lambda: "{{ '" + "\\a" * 90_000,
    "an open text of quotes": lambda: "{{ " + "'\"" * 90_000,
    "open braces": lambda: "{" * 200_000,
    "spaces in a tag": lambda: "{{" + " " * 190_000 + "}}",
    "spaces after a raw": lambda: "{% raw" + " " * 190_000 + "x",
    "spaces after a minus": lambda: ("{{ 1 -}}" + " " * 1000) * 190,
    "spaces before a minus": lambda: (" " * 1000 + "{{- 1 }}") * 190,
    "line breaks": lambda: "\r\n" * 99_000 + "{{",
    "line breaks of other kinds": lambda: "\u2028\x85\x0b" * 60_000 + "{{",
    "one long name": lambda: "{{ " + "a" * 190_000 + " }}",
    "a long name of wide characters": lambda: "{{ " + "\U0001d552" * 190_000 + " }}",
    "a long filter's name": lambda: "{{ 1|" + "a." * 60_000 + "a }}",
    "a long tag's name": lambda: "{% " + "a" * 190_000 + " %}",
    "a huge whole number": lambda: "{{ " + "9" * 100_000 + " }}",
    "a huge hexadecimal number": lambda: "{{ 0x" + "f" * 190_000 + " }}",
    "a number of underscores": lambda: "{{ " + "1_" * 90_000 + "1 }}",
    "a huge fraction": lambda: "{{ 1." + "9" * 190_000 + " }}",
    "a huge exponent": lambda: "{{ 1e" + "9" * 190_000 + " }}",
    "a long text": lambda: "{{ '" + "a" * 190_000 + "' }}",
    "a long text of wide characters": lambda: "{{ '" + "\U0001f600" * 190_000 + "' }}",
    "many texts side by side": lambda: "{{ " + "'a' " * 48_000 + "}}",
    "deep brackets": lambda: "{{" + "(" * 90_000 + "1" + ")" * 90_000 + "}}",
    "deep lists": lambda: "{{" + "[" * 90_000 + "]" * 90_000 + "}}",
    "deep nots": lambda: "{{" + "not " * 40_000 + "1}}",
    "deep minuses": lambda: "{{" + "-" * 5_900 + "1}}",
    "deep conditions": lambda: "{{" + "1 if 1 else " * 5_900 + "1}}",
    "deep ifs": lambda: "{% if 1 %}" * 5_900,
    "deep fors": lambda: "{% for i in [1] %}" * 5_000 + "{% endfor %}" * 5_000,
    "deep withs": lambda: "{% with %}" * 10_000,
    "a long sum": lambda: "{{" + "1+" * 5_900 + "1}}",
    "a long and": lambda: "{{" + "1 and " * 5_900 + "1}}",
    "a long chain of filters": lambda: "{{1" + "|abs" * 5_900 + "}}",
    "a long chain of attributes": lambda: "{{1" + ".a" * 5_900 + "}}",
    "a long chain of tests": lambda: "{{1" + " is odd" * 5_900 + "}}",
    "a long concatenation": lambda: "{{" + "1~" * 5_900 + "1}}",
    "a long comparison": lambda: "{{" + "1<" * 5_900 + "1}}",
    "many elifs": lambda: "{% if 0 %}" + "{% elif 0 %}" * 1_700 + "{% endif %}",
    "a long list": lambda: "{{ [" + "1," * 5_900 + "] }}",
    "lists in lists, wide": lambda: "{{ [" + "[[[[[[]]]]]]," * 900 + "] }}",
    "a long object": lambda: "{{ {" + ",".join(f"'{i}':1" for i in range(2_950)) + "} }}",
    "many sets and scopes": lambda: "".join(f"{{% set a{i} = 1 %}}" for i in range(700))
    + "{% for i in [] %}{% endfor %}" * 350,
    "many arguments": lambda: "{{ 1|default(" + "1," * 5_900 + ") }}",
    "many named arguments": lambda: "{{ 1|default(" + ",".join(f"a{i}=1" for i in range(2_950)) + ") }}",
    "many targets": lambda: "{% for " + ",".join(f"a{i}" for i in range(5_900)) + " in [] %}{% endfor %}",
    "many undeclared names": lambda: "".join(f"{{{{a{i}}}}}" for i in range(3_900)),
    "nested strips": lambda: "{%- if 1 -%}" * 60 + " " * 90_000 + "{%- endif -%}" * 60,
    "half a character in the source": lambda: "\ud800",
    "nothing but text": lambda: "x" * 200_000,
}  # fmt: skip

WITH_TEXT = {
    "upper case": "x|upper", "lower case": "x|lower", "title": "x|title", "title by method": "x.title()",
    "words": "x|wordcount", "capitalize": "x|capitalize", "trim": "x|trim", "characters": "x|list|length",
    "reverse": "x|reverse", "JSON": "x|tojson", "truncate": "x|truncate(999999)", "indent": "x|indent(64)",
    "lines": "x.splitlines()|length", "split": "x.split()|length", "split by a": "x.split('a')|length",
    "replace": "x|replace('a', 'bb')", "replace nothing": "x|replace('', 'bb')",
    "replace by itself": "x|replace('a', x)", "join by itself": "x|join(x)", "sorted": "x|sort|length",
    "unique": "x|unique", "strip by itself": "x.strip(x)", "trim by itself": "x|trim(x)",
    "count": "x.count('ab')",
    "count by a half": "x.count(x[:500000])", "find a half": "x.find(x[500000:] ~ 'b')",
    "contains a half": "x[:500000] ~ 'b' in x", "equal": "x == x[:999999] ~ 'a'", "slice": "x[::2]|length",
    "slice back": "x[::-1]", "concatenate": "x ~ x", "add": "x + x", "as a number": "x|int",
    "as a fraction": "x|float", "as a number by base": "x|int(0, 36)", "digits": "x.isdigit()",
    "starts with itself": "x.startswith(x)", "a missing key": "{}[x]",
    "an attribute": "[{}]|map(attribute=x)|list",
    "is lower": "x is lower", "greatest": "x|max", "in an object": "x in {}",
    "a filter's default": "''|default(x, true)",
    "keys by it": "{x: x}", "a list of it": "[x, x, x, x, x, x, x, x]",
    "summed": "x|sum", "rounded": "x|round",
    "selected": "x|select|list|length", "mapped": "x|map('upper')|join",
}  # fmt: skip


def _text_attacks() -> dict[str, Callable[[], Attack]]:
    texts = {
        "a": lambda: TEXT,
        "spaces": lambda: " a" * (MEGABYTE // 2),
        "lines": lambda: "\n" * MEGABYTE,
        "wide": lambda: "\U0001f600" * MEGABYTE,
        "growing": lambda: "\u0390" * MEGABYTE,  # three characters in upper case
    }
    found: dict[str, Callable[[], Attack]] = {}
    for name, expression in WITH_TEXT.items():
        for of, make in texts.items():
            found[f"{name} of {of}"] = lambda e=expression, m=make: Attack(
                repeated("{% set y = " + e + " %}", 1000), {"x": m()}
            )
    return found


SMALL_SEARCH = "a" * 1200 + "b"

WITH_VARIABLES: dict[str, Callable[[], Attack]] = {
    "show a long list": lambda: Attack("{{ x }}", {"x": [0] * 4_000_000}),
    "go over a long list": lambda: Attack("{% for i in x %}{% endfor %}", {"x": [0] * 4_000_000}),
    "sort a long list": lambda: Attack("{{ x|sort }}", {"x": list(range(400_000, 0, -1))}),
    "sort long texts": lambda: Attack("{{ x|sort|length }}", {"x": [TEXT[: 100_000 - i] for i in range(70)]}),
    "sort many times": lambda: Attack(repeated("{% set y = x|sort %}"), {"x": [3, 1, 2] * 1000}),
    "unique of a long list": lambda: Attack("{{ x|unique }}", {"x": list(range(400_000))}),
    "unique of numbers with one hash": lambda: Attack(
        "{{ x|unique }}", {"x": [float(2 ** (61 * (i % 15))) for i in range(100_000)]}
    ),
    "deep lists": lambda: Attack("{{ x }}{{ x == x }}", {"x": nested(1000)}),
    "compare deep lists": lambda: Attack("{{ x == y }}", {"x": nested(900), "y": nested(900)}),
    "sort deep lists": lambda: Attack("{{ [x, y]|sort }}", {"x": nested(900), "y": nested(900)}),
    "deep objects": lambda: Attack("{{ x }}", {"x": {"a": nested(900, {})}}),
    "deep defaults": lambda: Attack("{{ x }}", {}, {"x": nested(900)}),
    "wide defaults": lambda: Attack("{{ x }}", {}, {"x": [[]] * 1_000_000}),
    "a default beyond 64 bits": lambda: Attack("{{ x }}{{ [x] }}", {}, {"x": 1e300}),
    "an object of many keys": lambda: Attack(
        "{{ x|dictsort }}{{ x|items|list }}", {"x": {f"k{i}": i for i in range(300_000)}}
    ),
    "unknown variables": lambda: Attack("x", {f"k{i}": i for i in range(300_000)}),
    "an unknown variable's long name": lambda: Attack("x", {"k" * MEGABYTE: 1}),
    "join a long list": lambda: Attack("{{ x|join(y) }}", {"x": [0] * 100_000, "y": "y" * 1000}),
    "join a list of one long text": lambda: Attack("{{ [x,x,x,x,x,x,x,x,x,x]|join }}", {"x": TEXT}),
    "a text with half a character": lambda: Attack("{{ x }}", {"x": "\ud800"}),
    "a list with half a character": lambda: Attack("{{ x }}", {"x": ["\ud800"]}),
    "numbers of JSON at their limits": lambda: Attack(
        "{{ x * y }}{{ [x * x] }}", {"x": 2**64 - 1, "y": 1.7976931348623157e308}
    ),
    "a slow search": lambda: Attack(repeated("{% set y = n in x %}"), {"x": "a" * 2400, "n": SMALL_SEARCH}),
    "a slow search, longer": lambda: Attack(
        repeated("{% set y = n in x %}"), {"x": "a" * 29_000, "n": "a" * 49 + "b" + "a" * 49}
    ),
    "a slow count": lambda: Attack(
        repeated("{% set y = x.count(n) %}"), {"x": "a" * 29_000, "n": "b" + "a" * 98}
    ),
    "a slow split": lambda: Attack(
        repeated("{% set y = x.split(n) %}"), {"x": "a" * 2400, "n": SMALL_SEARCH}
    ),
    "a slow search, long": lambda: Attack(
        repeated("{% set y = n in x %}"), {"x": "a" * MEGABYTE, "n": "a" * 2500 + "b" + "a" * 2500}
    ),
    "a slow search, five": lambda: Attack(
        repeated("{% set y = n in x %}"), {"x": "aaaab" * 200_000, "n": "aaaac"}
    ),
    "many long texts kept": lambda: Attack(
        "".join(f"{{% set a{i} = x|replace('a', 'b') %}}" for i in range(100)), {"x": TEXT}
    ),
    "many words kept": lambda: Attack(
        "".join(f"{{% set a{i} = x.split() %}}" for i in range(100)), {"x": "ab " * 330_000}
    ),
    "many pairs kept": lambda: Attack(
        "".join(f"{{% set a{i} = x|items %}}" for i in range(100)), {"x": {f"k{i}": i for i in range(50_000)}}
    ),
    "many lower texts kept": lambda: Attack(
        "".join(f"{{% set a{i} = x|map('upper')|list %}}" for i in range(100)), {"x": ["ab"] * 100_000}
    ),
    "many characters kept": lambda: Attack(
        "".join(f"{{% set a{i} = x[{i}:]|list %}}" for i in range(100)), {"x": "\U0001f600" * 200_000}
    ),
    "JSON of control characters kept": lambda: Attack(
        "".join(f"{{% set a{i} = [x]|tojson %}}" for i in range(100)), {"x": "\x01" * 999_999 + "\U0001f600"}
    ),
    "JSON of control characters kept, small": lambda: Attack(
        "".join(f"{{% set a{i} = [x]|tojson %}}" for i in range(200)), {"x": "\x01" * 99_999 + "\U0001f600"}
    ),
    "upper texts that grow kept": lambda: Attack(
        "".join(f"{{% set a{i} = x|upper %}}" for i in range(200)), {"x": "\u0390" * 99_999 + "\U0001f600"}
    ),
    "titles kept": lambda: Attack(
        "".join(f"{{% set a{i} = x|title %}}" for i in range(200)), {"x": "\u0390 " * 49_999 + "\U0001f600"}
    ),
    "unique texts kept": lambda: Attack(
        "".join(f"{{% set a{i} = x|unique %}}" for i in range(200)), {"x": [f"ab{i}" for i in range(90_000)]}
    ),
    "objects kept": lambda: Attack(
        "{% set a = x" + "|map('items')|map('list')|list" * 1 + " %}" * 1, {"x": [{"a": 1}] * 100_000}
    ),
    "wide copies kept": lambda: Attack(
        "".join(f"{{% set a{i} = x ~ {i} %}}" for i in range(200)), {"x": "a" * 399_999 + "\U0001f600"}
    ),
    "rows of long texts": lambda: Attack("{% for i in x %}{{ i }}{% endfor %}", {"x": ["a" * 999] * 8000}),
    "64 messages of loops": lambda: Attack((repeated("x", 30_000),) * 64),
    "64 messages of long text": lambda: Attack(("{{ x }}",) * 64, {"x": TEXT}),
    "64 messages at full length": lambda: Attack(("{{1}}" * 39_000,) * 64),
    "64 messages of text at full length": lambda: Attack(("x" * 199_000,) * 64),
}  # fmt: skip

ATTACKS: dict[str, Callable[[], Attack]] = {
    **{name: lambda make=make: Attack(make()) for name, make in {**PLAIN, **LEXED}.items()},
    **{f"text: {name}": make for name, make in _text_attacks().items()},
    **{f"variables: {name}": make for name, make in WITH_VARIABLES.items()},
}
