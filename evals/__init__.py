"""Evaluation: metrics, and what runs them."""
