"""The template dialect: useful, typed, and cheap whatever an author or a client writes into it."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from voyager_llm.domain.prompt import PromptDefinition, PromptParameter
from voyager_llm.errors import InvalidArgument, RenderFailed, TemplateInvalid, VoyagerError
from voyager_llm.templating.render import check_prompt, render


def prompt(template: str, *parameters: PromptParameter) -> PromptDefinition:
    return PromptDefinition(name="p", version="1.0.0", template=template, parameters=parameters)


def rendered(template: str, **variables: Any) -> str:
    parameters = tuple(PromptParameter(name=name, type=_type(value)) for name, value in variables.items())
    of = prompt(template, *parameters)
    check_prompt(of)
    return render(of, variables).as_text()


def _type(value: Any) -> Any:
    kinds = {str: "string", bool: "boolean", int: "integer", float: "number", list: "list", dict: "object"}
    return kinds[type(value)]


@pytest.mark.parametrize(
    ("template", "variables", "expected"),
    [
        ("Hello {{name}}!", {"name": "Ada"}, "Hello Ada!"),
        ("{% for x in xs %}{{loop.index}}:{{x}} {% endfor %}", {"xs": ["a", "b"]}, "1:a 2:b "),
        ("{% if n > 1 %}many{% else %}one{% endif %}", {"n": 2}, "many"),
        ("{{ xs | join(', ') | upper }}", {"xs": ["a", "b"]}, "A, B"),
        ("{{ o.city ~ '!' }}", {"o": {"city": "Rome"}}, "Rome!"),
        ("{{ o }}", {"o": {"a": [1, True, None]}}, '{"a":[1,true,null]}'),
        ("{{ flag }}", {"flag": True}, "true"),
        ("{% set a = 1 + 2 * 3 %}{{ a }}", {}, "7"),
        ("{{ '{{' }} kept", {}, "{{ kept"),
        ("keep the end\n", {}, "keep the end\n"),
        ("{{ s | replace('a', 'b') | trim }}", {"s": " aa "}, "bb"),
    ],
)
def test_what_a_template_can_do(template: str, variables: dict[str, Any], expected: str) -> None:
    assert rendered(template, **variables) == expected


def test_a_variables_text_is_never_a_template() -> None:
    assert rendered("{{x}}", x="{{ 7*7 }}{% for %}") == "{{ 7*7 }}{% for %}"


REFUSED = [
    "{{ x.__class__ }}",
    "{{ x['__class__'] }}",
    "{{ x|attr('__class__') }}",
    "{{ ''.__class__.__mro__ }}",
    "{% for i in range(10**9) %}{% endfor %}",
    "{{ 10**10**10 }}",
    "{{ self.__init__ }}",
    "{{ lipsum() }}",
    "{{ cycler('a') }}",
    "{{ x.format(1) }}",
    "{{ '%s'|format(x) }}",
    "{{ x|center(1000000000) }}",
    "{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}",
    "{% include 'x' %}",
    "{% import 'x' as y %}",
    "{% set a %}{{x}}{% endset %}",
    "{% for a in x recursive %}{{ loop(a) }}{% endfor %}",
    "{% for a in x %}{{ loop }}{% endfor %}",
    "{% for loop in x %}{% endfor %}",
    "{% set n = namespace(a=1) %}",
    "{{ x is sameas(x) }}",
    "{{ x is divisibleby }}",
    "{{ x|upper(1) }}",
    "{{ x|truncate(size=3) }}",
    "{{ x|default(budget=1) }}",
    "{{ x|join(*x) }}",
    "{{ [x]|map(x) }}",
    "{{ [x]|select('no such test') }}",
    "{{ [x]|map('upper', 1) }}",
    "{{ [x]|map(function='upper') }}",
    "{{ [x]|select(test='odd') }}",
    "{{ x[0:1, 2] }}",
    "{{ x.split(sep=' ') }}",
    "{{ '\\ud800' }}",
    "{{ " + "9" * 5000 + " }}",
    "{{ x" + "|upper" * 100 + " }}",
    "{{ x }}" * 5000,
    "{% filter upper %}x{% endfilter %}",
    "{% block a %}{% endblock %}",
    "{% autoescape true %}{{ x }}{% endautoescape %}",
    "{{ undeclared }}",
    "{{" + "(" * 5000 + "1" + ")" * 5000 + "}}",
]


@pytest.mark.parametrize("template", REFUSED)
def test_what_is_refused_when_it_is_created(template: str) -> None:
    with pytest.raises(TemplateInvalid):
        check_prompt(prompt(template, PromptParameter(name="x")))


EXPENSIVE = [
    "{% for i in range(1000000000) %}{% endfor %}",
    "{% for i in range(99999) %}{% for j in range(99999) %}{% endfor %}{% endfor %}",
    "{{ 'x' * 1000000000 }}",
    "{% set a = 'aaaaaaaa' %}" + "{% set a = a ~ a %}" * 40 + "{{ a }}",
    "{% set a = 'aaaaaaaa' %}" + "{% set a = a + a %}" * 40 + "{{ a }}",
    "{% set a = 9 %}" + "{% set a = a * a %}" * 40 + "{{ a }}",
    "{% set a = 'aaaa' %}" + "{% set a = a|replace('a', 'aaaaaaaaaaaaaaaaaaaa') %}" * 9 + "{{ a }}",
    "{{ range(99999)|join('x' ~ x) }}",
    "{% for i in range(90000) %}0123456789012345678901234567890{% endfor %}",
    "{{ '%1000000000d' % 1 }}",
]


def checked_and_rendered(template: str) -> str:
    of = prompt(template, PromptParameter(name="x"))
    check_prompt(of)
    return render(of, {"x": "y" * 1000}).as_text()


@pytest.mark.timeout(20)  # without its limits each of these takes minutes or gigabytes
@pytest.mark.parametrize("template", EXPENSIVE)
def test_what_costs_too_much_stops_early(template: str) -> None:
    with pytest.raises((RenderFailed, TemplateInvalid)):
        checked_and_rendered(template)


def test_a_syntax_error_has_line_and_column() -> None:
    with pytest.raises(TemplateInvalid, match=r"line 2, column 3") as caught:
        check_prompt(prompt("fine\n  {{ broken ", PromptParameter(name="broken")))
    assert caught.value.field == "template"


TYPED = prompt(
    "{{s}}{{i}}{{n}}{{b}}{{e}}{{l}}{{o}}",
    PromptParameter(name="s", required=True),
    PromptParameter(name="i", type="integer"),
    PromptParameter(name="n", type="number"),
    PromptParameter(name="b", type="boolean"),
    PromptParameter(name="e", type="enum", enum=("a", "b")),
    PromptParameter(name="l", type="list"),
    PromptParameter(name="o", type="object"),
)


@pytest.mark.parametrize(
    ("variables", "field"),
    [
        ({}, "variables.s"),
        ({"s": "x", "zzz": "1"}, "variables.zzz"),
        ({"s": 1}, "variables.s"),
        ({"s": "x", "i": 1.5}, "variables.i"),
        ({"s": "x", "i": True}, "variables.i"),
        ({"s": "x", "b": 1}, "variables.b"),
        ({"s": "x", "e": "c"}, "variables.e"),
        ({"s": "x", "l": {}}, "variables.l"),
    ],
)
def test_a_wrong_variable_is_named(variables: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidArgument) as caught:
        render(TYPED, variables)
    assert caught.value.field == field


def test_text_variables_are_read_as_their_type() -> None:
    texts = {"s": "5", "i": "5", "n": "0.5", "b": "true", "e": "b", "l": "[1]", "o": '{"a": 1}'}
    assert render(TYPED, texts, texts=True).variables == {
        "s": "5", "i": 5, "n": 0.5, "b": True, "e": "b", "l": [1], "o": {"a": 1},
    }  # fmt: skip


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=200))
def test_no_template_text_escapes_our_errors(template: str) -> None:
    """Whatever is written, the answer is a prompt or an error of ours."""
    try:
        of = PromptDefinition(name="p", version="1.0.0", template=template or "x")
        check_prompt(of)
        render(of, {})
    except VoyagerError:
        pass


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=500))
def test_a_string_variable_comes_out_as_it_went_in(value: str) -> None:
    assert rendered("<{{x}}>", x=value) == f"<{value}>"
