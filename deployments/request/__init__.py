"""One request, from what was asked to what was answered; see `pipeline.py`."""
