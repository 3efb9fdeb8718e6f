"""Attacks that a change must withstand."""
