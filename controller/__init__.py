"""The controller: custom resources in, one configuration and their statuses out."""
