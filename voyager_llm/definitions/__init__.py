"""Definitions: checked, kept, compiled and published. Used by the config hub and the controller."""
