"""The direct path between replicas: connections that carry many calls (`docs/decisions/0018-direct-hop.md`).

Serve stays in charge of which replicas there are, of their health, scaling and draining. A replica announces
where it listens (`server.py`, `announcement.py`) through Serve; the router's replica hears of it
(`announcer.py`, `discovery.py`) and keeps a connection to each (`peers.py`, `channel.py`). What the direct
path cannot take goes over Serve's handle (`caller.py`, `renderer.py`).
"""
