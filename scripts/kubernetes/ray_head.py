"""A Ray head with Serve's REST API on loopback and nothing deployed: what KubeRay would have started.

`python -m scripts.kubernetes.ray_head PORT`, in an environment of `serve_app.environment`. Used by
`ray_cluster.py`.
"""

from __future__ import annotations

import logging
import os
import signal
import sys
import threading

import ray

from serve_app.processes import Run


def main() -> int:
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    ray.init(
        address="local",
        num_cpus=max(os.cpu_count() or 1, 4),
        include_dashboard=True,
        dashboard_host="127.0.0.1",
        dashboard_port=int(sys.argv[1]),
        object_store_memory=100 * 1024 * 1024,
        _node_ip_address="127.0.0.1",
        logging_level=logging.ERROR,
        log_to_driver=False,
    )
    print("ray is up", flush=True)
    stop.wait()
    ray.shutdown()
    Run.of_this_process().end()
    return 0


if __name__ == "__main__":
    sys.exit(main())
