"""A LiteLLM proxy's configuration as models and routes of ours, with a note for all that has no counterpart.

`source.py` reads files, `catalog.py` says of every setting what becomes of it, `entries.py` reads
`model_list`, `models.py` and `routes.py` make definitions, `translate.py` is the whole of it, top to bottom.
"""
