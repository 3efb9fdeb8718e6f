"""The three ways to call a provider. `caller.py` picks one; the answer is the same on each."""
