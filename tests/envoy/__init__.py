"""The shipped gateway: a real Envoy in front of a running service."""
