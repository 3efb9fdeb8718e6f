"""What every deployment shares: how its process begins, where Serve listens, what crosses handles."""
