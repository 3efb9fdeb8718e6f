"""A real API server with its etcd, on loopback, for as long as a `with` lasts.

RBAC is on. Tokens stand in a file: `admin` may do everything, a service account exactly what its roles say.
What a kubelet and the controller manager do, nobody does: pods never run. Used by tests and by the demo.
"""

from __future__ import annotations

import contextlib
import json
import re
import secrets
import signal
import ssl
import subprocess
import threading
import time
import urllib.request
from collections.abc import Generator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from scripts.kubernetes.binaries import API_SERVER, ETCD, Program, binary
from serve_app.environment import free_ports

_READY_SECONDS = 90.0


@dataclass(slots=True)
class ControlPlane:
    """A running control plane."""

    folder: Path
    url: str
    tokens: dict[str, str]
    _etcd_port: int
    _peer_port: int
    _processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    def kubeconfig(self, user: str = "admin", namespace: str = "llm") -> Path:
        """A kubeconfig for a user of the token file."""
        path = self.folder / f"kubeconfig-{user.replace(':', '-')}"
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [
                {"name": "c", "cluster": {"server": self.url, "certificate-authority": str(self.ca)}}
            ],
            "users": [{"name": "u", "user": {"token": self.tokens[user]}}],
            "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u", "namespace": namespace}}],
            "current-context": "x",
        }
        path.write_text(yaml.safe_dump(config))
        return path

    @property
    def ca(self) -> Path:
        """The certificate that the server signs itself."""
        return self.folder / "certs" / "apiserver.crt"

    def start_etcd(self) -> None:
        url, peers = f"http://127.0.0.1:{self._etcd_port}", f"http://127.0.0.1:{self._peer_port}"
        self._start(
            ETCD,
            f"--data-dir={self.folder / 'etcd'}",
            f"--listen-client-urls={url}", f"--advertise-client-urls={url}",
            f"--listen-peer-urls={peers}", f"--initial-advertise-peer-urls={peers}",
            f"--initial-cluster=default={peers}",
            "--unsafe-no-fsync", "--log-level=error",
        )  # fmt: skip

    def start_server(self) -> None:
        self._start(
            API_SERVER,
            f"--etcd-servers=http://127.0.0.1:{self._etcd_port}",
            "--bind-address=127.0.0.1", f"--secure-port={self.url.rsplit(':', 1)[1]}",
            f"--cert-dir={self.folder / 'certs'}",
            f"--token-auth-file={self.folder / 'tokens.csv'}",
            "--authorization-mode=RBAC",
            "--service-cluster-ip-range=10.0.0.0/24",
            "--service-account-issuer=https://kubernetes.default.svc",
            f"--service-account-key-file={self.folder / 'sa.key'}",
            f"--service-account-signing-key-file={self.folder / 'sa.key'}",
            # Pods and their tokens are a kubelet's business; endpoints of the server as well.
            "--disable-admission-plugins=ServiceAccount",
            "--endpoint-reconciler-type=none",
            "--watch-cache=true", "--profiling=false", "-v=0",
        )  # fmt: skip

    def wait_until_ready(self) -> None:
        """Raises `RuntimeError` with the end of the log."""
        deadline = time.monotonic() + _READY_SECONDS
        while time.monotonic() < deadline:
            with contextlib.suppress(OSError):
                if self.get("/readyz") == b"ok":
                    return
            if self._processes["kube-apiserver"].poll() is not None:
                break
            time.sleep(0.1)
        raise RuntimeError(f"the API server did not start:\n{self._log('kube-apiserver')[-4000:]}")

    def get(self, path: str) -> bytes:
        """A plain GET as admin. Raises `OSError`."""
        request = urllib.request.Request(
            self.url + path, headers={"Authorization": f"Bearer {self.tokens['admin']}"}
        )
        context = ssl.create_default_context(cafile=str(self.ca))
        with urllib.request.urlopen(request, timeout=5, context=context) as answer:
            return answer.read()

    def stop(self, name: str, number: int = signal.SIGTERM) -> None:
        """Stop one process: `etcd` or `kube-apiserver`."""
        process = self._processes.pop(name, None)
        if process is not None:
            process.send_signal(number)
            try:
                process.wait(timeout=10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def pause(self, name: str, *, on: bool) -> None:
        """Freeze a process, or let it go on."""
        self._processes[name].send_signal(signal.SIGSTOP if on else signal.SIGCONT)

    @contextlib.contextmanager
    def slowed(self, name: str, share: float) -> Generator[None]:
        """Let a process run for a share of the time only, in turns of half a second."""
        done = threading.Event()

        def throttle() -> None:
            while not done.is_set():
                self.pause(name, on=True)
                done.wait(0.5 * (1 - share))
                self.pause(name, on=False)
                done.wait(0.5 * share)

        thread = threading.Thread(target=throttle, daemon=True)
        thread.start()
        try:
            yield
        finally:
            done.set()
            thread.join()

    def compact(self) -> None:
        """Let etcd forget its history: a watch that wants to go on from before is answered 410 (Gone)."""
        revision = self._etcd("maintenance/status", {})["header"]["revision"]
        self._etcd("kv/compaction", {"revision": revision, "physical": True})

    def _etcd(self, call: str, body: dict[str, Any]) -> dict[str, Any]:
        request = urllib.request.Request(
            f"http://127.0.0.1:{self._etcd_port}/v3/{call}",
            data=json.dumps(body).encode(),
            headers={"content-type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=10) as answer:
            return json.loads(answer.read())

    def requests(self, labels: str) -> int:
        """How many requests the server has answered whose labels, such as ``resource="secrets"``, match
        the expression."""
        lines = re.findall(
            r"^apiserver_request_total{(.*)} ([\d.e+]+)$", self.get("/metrics").decode(), re.MULTILINE
        )
        return sum(int(float(count)) for found, count in lines if re.search(labels, found))

    def _start(self, program: Program, *arguments: str) -> None:
        with (self.folder / f"{program.name}.log").open("ab") as log:
            self._processes[program.name] = subprocess.Popen(
                [str(binary(program)), *arguments], stdout=log, stderr=log
            )

    def _log(self, name: str) -> str:
        return (self.folder / f"{name}.log").read_text(errors="replace")


@contextlib.contextmanager
def control_plane(folder: Path, users: dict[str, str] | None = None) -> Generator[ControlPlane]:
    """Run one. ``users``: name → group of further entries of the token file, such as
    ``system:serviceaccount:llm:controller`` → ``system:serviceaccounts``."""
    folder.mkdir(parents=True, exist_ok=True)
    port, etcd_port, peer_port = free_ports(3)
    tokens = {name: secrets.token_hex(16) for name in ("admin", *(users or {}))}
    groups = {"admin": "system:masters", **(users or {})}
    lines = [f'{token},{name},{name},"{groups[name]}"' for name, token in tokens.items()]
    (folder / "tokens.csv").write_text("\n".join(lines) + "\n")
    (folder / "tokens.csv").chmod(0o600)
    (folder / "sa.key").write_bytes(_private_key())
    plane = ControlPlane(folder, f"https://127.0.0.1:{port}", tokens, etcd_port, peer_port)
    try:
        plane.start_etcd()
        plane.start_server()
        plane.wait_until_ready()
        yield plane
    finally:
        for name in ("kube-apiserver", "etcd"):
            plane.stop(name)


def _private_key() -> bytes:
    """What service account tokens are signed with."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
