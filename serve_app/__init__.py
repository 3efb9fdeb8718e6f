"""The composition root: builds the Serve application, runs it, and the command line."""
