"""Parsing a template's source: Jinja2's lexer and parser, within bounds that hold before each step.

Jinja2's compiler is not used. It evaluates what is constant while it compiles (`{{ 1|round(30000000) }}`),
and Python's own compiler refuses what nests too deeply in its own ways. Called by `templating/template.py`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from jinja2 import Environment, TemplateSyntaxError, nodes
from jinja2.lexer import TokenStream
from jinja2.parser import Parser

from voyager_llm.errors import TemplateInvalid

# Enough for some thousand tags. Text outside of tags is one token, however long.
MAX_TOKENS = 12_000
# Each bracket takes a dozen frames of the parser's stack.
MAX_BRACKETS = 20
_MAX_WORD_CHARS = 100
# What the lexer may take for a number: its pattern needs hundreds of bytes for each digit.
_NUMERAL = re.compile(r"0x[\da-f_]+|[\d_]+", re.IGNORECASE)
_MAX_NUMERAL_CHARS = 10_000

_ENVIRONMENT = Environment(keep_trailing_newline=True)  # noqa: S701 (prompts are no HTML)


class Tokens:
    """How many more tokens the templates of one prompt may have, together."""

    __slots__ = ("left",)

    def __init__(self, left: int = MAX_TOKENS) -> None:
        self.left = left


def parse(source: str, tokens: Tokens) -> nodes.Template:
    """Raises `TemplateInvalid` with line and column."""
    lexer = _ENVIRONMENT.lexer
    try:
        source.encode()  # a lone surrogate could not leave the service again
        if any(len(found[0]) > _MAX_NUMERAL_CHARS for found in _NUMERAL.finditer(source)):
            raise ValueError(f"more than {_MAX_NUMERAL_CHARS} digits in a row")
        parser = Parser(_ENVIRONMENT, "")
        parser.stream = TokenStream(lexer.wrap(_bounded(lexer.tokeniter(source, None), tokens)), None, None)
        return parser.parse()
    except TemplateSyntaxError as error:
        column = _column(source, error.lineno)
        raise TemplateInvalid(f"line {error.lineno}, column {column}: {error.message}", "template") from None
    except RecursionError:
        raise TemplateInvalid("the template is nested too deeply", "template") from None
    except Exception as error:  # whatever a parser stumbles over, it is the source that is wrong
        raise TemplateInvalid(f"the template cannot be read: {error}", "template") from None


def _bounded(raw: Iterable[tuple[int, str, str]], tokens: Tokens) -> Iterator[tuple[int, str, str]]:
    open_brackets = 0
    for line, kind, value in raw:
        tokens.left -= 1
        if tokens.left < 0:
            raise TemplateSyntaxError(f"the prompt's templates have more than {MAX_TOKENS} tokens", line)
        if kind in ("integer", "float", "name") and len(value) > _MAX_WORD_CHARS:
            message = f"names and numbers must not be longer than {_MAX_WORD_CHARS} characters"
            raise TemplateSyntaxError(message, line)
        if kind == "operator":
            open_brackets += (value in "([{") - (value in ")]}")
            if open_brackets > MAX_BRACKETS:
                raise TemplateSyntaxError(f"more than {MAX_BRACKETS} brackets are open", line)
        yield line, kind, value


def _column(source: str, line: int) -> int:
    """Jinja2 reports lines only: the column of the line's last tag or expression is where it gave up."""
    lines = source.splitlines()
    found = lines[line - 1] if 0 < line <= len(lines) else ""
    return max(found.rfind("{{"), found.rfind("{%"), 0) + 1
