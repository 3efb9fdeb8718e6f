"""Ends the run that this process belongs to: what the driver becomes without a launcher (`driver.py`)."""

from __future__ import annotations

from serve_app.processes import Run

if __name__ == "__main__":
    Run.of_this_process().end()
