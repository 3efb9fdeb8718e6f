"""What nobody needs a key for: whether the service lives. HAProxy, clusters and load balancers ask it.

Used by `serving/door.py`, by `serving/listening.py` and by `serve_app/haproxy_config.py`, which lets nobody
send more than a question there.
"""

from __future__ import annotations

# Of HTTP: ours, as `paths.py` has them, and what Serve answers itself.
PATHS = frozenset({"/healthz", "/readyz"})
SERVES_OWN = "/-/"
# Of gRPC: how the paths of its methods begin.
SERVICES = ("/grpc.health.v1.Health/", "/ray.serve.RayServeAPIService/")
