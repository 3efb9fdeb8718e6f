"""Alembic's migrations, run by `store/sql.py` when a store is opened."""
