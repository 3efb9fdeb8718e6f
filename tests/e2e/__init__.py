"""As a new user: the commands of the README."""
