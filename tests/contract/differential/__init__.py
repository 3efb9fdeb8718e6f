"""The lanes beside LiteLLM's own whole call: shapes, answers, and the table of differences."""
