"""The three ways to call a provider. `caller.py` picks one; the answer is the same on each."""

import os

# Read by LiteLLM, which only modules of this package import: else it asks the network for tables of prices
# and of headers before it takes those that it carries.
os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"
os.environ["LITELLM_LOCAL_ANTHROPIC_BETA_HEADERS"] = "True"
