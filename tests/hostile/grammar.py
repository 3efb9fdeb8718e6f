"""Random templates out of the dialect's grammar, and random variables. Used by `fuzz.py`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from hypothesis import strategies as st

from voyager_llm.templating.methods import METHODS
from voyager_llm.templating.vocabulary import APPLYING, FILTERS, TESTS, accepts

NAMES = ("x", "n", "l", "o", "a", "b")
_OPERATORS = (
    "+",
    "-",
    "*",
    "/",
    "//",
    "%",
    "~",
    "and",
    "or",
    "==",
    "!=",
    "<",
    "<=",
    ">",
    ">=",
    "in",
    "not in",
)
_BOUND = st.sampled_from(("", "", "1", "-1", "2", "0", "n", "99999999999999999999"))

atoms = st.one_of(
    st.sampled_from(NAMES),
    st.sampled_from(
        ("0", "1", "-1", "7", "1e308", "99999999999999999999", "0.5", "true", "none", "''", "'a'")
    ),
    st.sampled_from(("'a b\\nc'", "'\\u0390'", "[]", "{}", "range(9)", "range(2000)", "range(5, -5, -2)")),
)


def _ways(functions: Mapping[str, Callable[..., Any]]) -> st.SearchStrategy[tuple[str, int]]:
    """Names with numbers of arguments that they take."""
    return st.sampled_from(
        [(name, count) for name, of in sorted(functions.items()) for count in range(4) if accepts(of, count)]
    )


_PLAIN = _ways({name: of for name, of in FILTERS.items() if name not in APPLYING})
_TESTED = _ways({name: of for name, of in TESTS.items() if name.isalpha()})
_NAMED = st.sampled_from(
    [
        (name, key)
        for name, of in sorted(FILTERS.items())
        for key in (
            "reverse",
            "case_sensitive",
            "attribute",
            "default",
            "length",
            "end",
            "width",
            "start",
            "first",
        )
        if accepts(of, 0, [key])
    ]
)
_METHOD = _ways({name: of for methods in METHODS.values() for name, of in methods.items()})


def _compound(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    three = st.tuples(inner, inner, inner)

    def given(way: tuple[str, int], arguments: tuple[str, ...]) -> str:
        return f"{way[0]}({', '.join(arguments[: way[1]])})"

    def applied(name: str, way: tuple[str, int], arguments: tuple[str, ...]) -> str:
        parts = [*(["'k'"] if name.endswith("attr") else []), f"'{way[0]}'", *arguments[: way[1]]]
        return f"{name}({', '.join(parts)})"

    return st.one_of(
        st.builds(lambda a, op, b: f"({a} {op} {b})", inner, st.sampled_from(_OPERATORS), inner),
        st.builds(lambda a, way, of: f"({a}|{given(way, of)})", inner, _PLAIN, three),
        st.builds(lambda a, way, of: f"({a}|{applied('map', way, of)})", inner, _PLAIN, three),
        st.builds(
            lambda a, name, way, of: f"({a}|{applied(name, way, of)})",
            inner, st.sampled_from(("select", "reject", "selectattr", "rejectattr")), _TESTED, three,
        ),
        st.builds(lambda a, of, b: f"({a}|{of[0]}({of[1]}={b}))", inner, _NAMED, inner),
        st.builds(lambda a, way, of: f"({a} is {given(way, of)})", inner, _TESTED, three),
        st.builds(lambda a, way, of: f"({a}).{given(way, of)}", inner, _METHOD, three),
        st.builds(lambda a, k: f"({a}).{k}", inner, st.sampled_from(("k", "items", "city"))),
        st.builds(lambda a, k: f"({a})[{k}]", inner, inner),
        st.builds(lambda a, of: f"({a})[{of[0]}:{of[1]}:{of[2]}]", inner, st.tuples(_BOUND, _BOUND, _BOUND)),
        st.builds(lambda of: f"({of[0]} if {of[1]} else {of[2]})", three),
        st.builds(lambda parts: f"[{', '.join(parts)}]", st.lists(inner, max_size=4)),
        st.builds(lambda k, v: f"{{{k}: {v}, 'k': {v}}}", inner, inner),
    )  # fmt: skip


expressions = st.recursive(atoms, _compound, max_leaves=12)


def _blocks(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    body = st.lists(inner, min_size=1, max_size=4).map("".join)
    name = st.sampled_from(("a", "b"))
    return st.one_of(
        st.builds(lambda n, e, b: f"{{% for {n} in {e} %}}{b}{{% endfor %}}", name, expressions, body),
        st.builds(
            lambda n, e, t, b, c: f"{{% for {n} in {e} if {t} %}}{b}{{% else %}}{c}{{% endfor %}}",
            name, expressions, expressions, body, body,
        ),
        st.builds(lambda e, b, c: f"{{% if {e} %}}{b}{{% else %}}{c}{{% endif %}}", expressions, body, body),
        st.builds(lambda n, e, b: f"{{% with {n} = {e} %}}{b}{{% endwith %}}", name, expressions, body),
    )  # fmt: skip


_lines = st.one_of(
    st.sampled_from(("some text\n", "{# a comment #}", "{% raw %}{{{% endraw %}")),
    st.builds(lambda e: f"{{{{ {e} }}}}", expressions),
    st.builds(lambda n, e: f"{{% set {n} = {e} %}}", st.sampled_from(("a", "b")), expressions),
    st.builds(lambda n: f"{{% set {n} = [{n}, {n}, a, b] %}}" * 9, st.sampled_from(("a", "b"))),
)

templates = st.lists(st.recursive(_lines, _blocks, max_leaves=8), min_size=1, max_size=8).map("".join)

_scalars = st.one_of(
    st.none(), st.booleans(), st.integers(-(2**63), 2**63), st.floats(), st.text(max_size=20)
)
values = st.recursive(
    _scalars,
    lambda inner: st.one_of(st.lists(inner, max_size=5), st.dictionaries(st.text(max_size=3), inner)),
    max_leaves=20,
)  # fmt: skip

variables = st.fixed_dictionaries(
    {
        "x": st.one_of(st.text(max_size=50), st.sampled_from(("ab \n" * 20_000, "\U0001f600" * 5_000))),
        "n": st.one_of(st.integers(-(2**63), 2**63), st.floats()),
        "l": st.one_of(
            st.lists(values, max_size=8), st.sampled_from(([1, 2, 3] * 2_000, ["b", "a"] * 2_000))
        ),
        "o": st.dictionaries(st.sampled_from(("k", "city", "items")), values),
        "a": values,
        "b": values,
    }
)

# What a lexer and a parser can be confused with.
soup = st.lists(
    st.sampled_from(
        ("{{", "}}", "{%", "%}", "{#", "#}", "-", "raw", "endraw", "for", "in", "if", "else", "elif", "endif",
         "set", "with", "x", "(", ")", "[", "]", "{", "}", "|", ".", "'", '"', "\\", "1", "1e5", "0x", "_",
         ",", ":", "~", "not", "is", "and", "\n", " ", "é", "\U0001f600", "**", "recursive", "block", "macro",
         "loop")
    ),
    max_size=60,
).map("".join)  # fmt: skip
