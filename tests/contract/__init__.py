"""Every adapter of a port against one test: stores against real databases, lanes against real HTTP."""
