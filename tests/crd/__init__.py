"""The CRDs against a real API server."""
