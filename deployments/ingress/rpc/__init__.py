"""The service `ModelManager`: one class for each kind of definition, and the gRPC side of errors."""
