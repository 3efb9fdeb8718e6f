"""How endpoints, models and the stages behind a router fare. Used by `replica.py` and `model_router.py`."""
