"""Tools of the repository itself; nothing of it is installed."""
