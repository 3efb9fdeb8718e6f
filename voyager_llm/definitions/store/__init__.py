"""Where definitions and their history are kept. `contract.py` says what a store does, `sql.py` does it."""
