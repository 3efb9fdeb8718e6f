"""The controller: its pure decisions, and all of it against a real API server."""
