"""The specification's REST API, derived from the `google.api.http` annotations of the service."""
