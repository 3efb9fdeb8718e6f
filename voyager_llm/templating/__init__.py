"""Prompt templates: a dialect of Jinja2 in which every operation is paid for before it runs.

`syntax` parses a source within bounds, `policy` says what may stand in it, `evaluator` makes functions of
it, `operations`, `filters`, `tests` and `methods` are what those call, each paying off one `budget`;
`render` puts all of it behind two functions."""
