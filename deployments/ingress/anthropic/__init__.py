"""Anthropic's Messages API, for any model."""
