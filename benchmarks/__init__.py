"""Named scenarios, run against this service and its peers side by side in one run."""
