"""Prompt templates: a dialect of Jinja2 in which every operation is paid for before it runs.

`syntax` parses a source within bounds, `policy` says what may stand in it, `statements` and `expressions`
make functions of it. Those call `operations`, `methods` and what `vocabulary` names, all of which pay off one
`budget`. `template` goes this way from source to text and caches it; `render` puts it behind two functions.
"""
