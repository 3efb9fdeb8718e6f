"""Wire ↔ domain: the codecs of HTTP and gRPC. Nothing here decides anything."""
