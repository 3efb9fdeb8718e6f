"""A provider over real HTTP that speaks six wire formats and fails on demand.

For tests and benchmarks alone: `server.py` serves, `profiles.py` says how it behaves, `formats.py` writes
the answers and `untidy.py` less tidy ones, `running.py` starts it as a process.
"""
