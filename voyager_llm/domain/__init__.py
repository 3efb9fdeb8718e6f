"""Frozen types and pure decisions. No input, no output, no clock of its own."""
