"""One file a measurement. A measurement takes an output and a reference and returns a score in [0, 1]."""
