"""Prompt templates: a bounded Jinja2 dialect. `policy` says what may stand in a template, `sandbox`
bounds what running it can cost, `render` puts both behind two functions."""
