"""Protobuf and gRPC code, generated out of `proto/` by `make gen`; not to be edited."""
