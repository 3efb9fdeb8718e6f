"""What the command line does, apart from parsing it: `cli.py` reads the arguments."""
