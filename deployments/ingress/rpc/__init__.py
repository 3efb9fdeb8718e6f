"""The service `ModelManager`: one row for each kind of definition, and the gRPC side of errors."""
