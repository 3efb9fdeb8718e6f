"""Secrets by reference, read in the process that needs them."""
