"""What is shipped for a cluster, against a real API server with the real CRDs of the operators it needs."""
