"""What runs in replicas: the pipeline of one request, its stages, and the ingress codecs."""
