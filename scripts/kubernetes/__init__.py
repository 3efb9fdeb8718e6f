"""A Kubernetes control plane on this machine, for tests and the demo: no kubelet, no container."""
