"""The controller as it is deployed: a process of its own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

from tests.support.running import ROOT


class RunningController:
    """One controller process."""

    def __init__(self, kubeconfig: Path, dataplane: str, folder: Path, identity: str = "one") -> None:
        self.log = folder / f"controller-{identity}.log"
        environment = {
            **os.environ,
            "KUBECONFIG": str(kubeconfig),
            "VOYAGER_CONTROLLER_NAMESPACE": "llm",
            "VOYAGER_CONTROLLER_DATAPLANE_URL": dataplane,
            "VOYAGER_CONTROLLER_IDENTITY": identity,
            "VOYAGER_CONTROLLER_HEALTH_PORT": "0",
        }
        with self.log.open("ab") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "controller.operator"],
                cwd=ROOT, env=environment, stdout=output, stderr=subprocess.STDOUT,
            )  # fmt: skip

    def kill(self) -> None:
        """-9: nothing is released, nothing is said."""
        self.process.kill()
        self.process.wait()

    def stop(self) -> None:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            self.process.wait(timeout=30)
