"""The three ways to call a provider. `caller.py` picks one; the answer is the same on each."""

import os

# Read when LiteLLM is imported, which only modules of this package do: else it asks the network for its
# price table, three times, before it takes the one that it carries.
os.environ.setdefault("LITELLM_LOCAL_MODEL_COST_MAP", "True")
