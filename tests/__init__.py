"""Tests, grouped by what they need; `support/` holds what they share."""
