"""Access to a Kubernetes API server, by plain data."""
