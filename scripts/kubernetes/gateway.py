"""Runs the shipped Envoy configuration on this machine: other paths and ports, nothing else. For tests and
the demo."""

from __future__ import annotations

import base64
import datetime
import hashlib
import hmac
import json
import secrets
import ssl
import subprocess
import sys
import time
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import yaml
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from scripts.kubernetes.ray_cluster import ROOT
from serve_app.environment import free_port

CONFIG = ROOT / "kuberay" / "base" / "envoy" / "envoy.yaml"
_ISSUER, _AUDIENCE = "https://platform.voyager.io", "voyager-llm"
_READY_SECONDS = 20.0


@dataclass(frozen=True, slots=True)
class Gateway:
    """A running Envoy."""

    folder: Path
    port: int
    signing_key: bytes = field(repr=False)

    @property
    def url(self) -> str:
        return f"https://localhost:{self.port}"

    @property
    def certificate(self) -> Path:
        return self.folder / "tls" / "tls.crt"

    def token(self, subject: str, seconds: int = 300, audience: str = _AUDIENCE) -> str:
        """A JWT as the platform's identity provider would issue it."""
        now = int(time.time())
        claims = {"iss": _ISSUER, "aud": audience, "sub": subject, "iat": now, "exp": now + seconds}
        head = {"alg": "HS256", "kid": "platform", "typ": "JWT"}
        signed = b".".join(_encoded(json.dumps(part).encode()) for part in (head, claims))
        signature = hmac.new(self.signing_key, signed, hashlib.sha256).digest()
        return (signed + b"." + _encoded(signature)).decode()

    def client(self, subject: str = "tester") -> httpx.AsyncClient:
        """An HTTP client that trusts the gateway and presents a token."""
        headers = {"authorization": f"Bearer {self.token(subject)}"}
        trust = ssl.create_default_context(cafile=str(self.certificate))
        return httpx.AsyncClient(base_url=self.url, headers=headers, verify=trust, timeout=30)

    def set_key(self, key: str) -> None:
        """Rotate the key that the gateway presents to the service."""
        secret = {
            "@type": "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret",
            "name": "service-key",
            "generic_secret": {"secret": {"inline_string": f"Bearer {key}"}},
        }
        _replace(self.folder / "key" / "sds.yaml", yaml.safe_dump({"resources": [secret]}))


@contextmanager
def gateway(folder: Path, http_port: int, grpc_port: int, key: str = "none") -> Generator[Gateway]:
    """Run Envoy in front of a service. ``key``: what the service's clients must present."""
    for name in ("tls", "jwks", "key"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    running = Gateway(folder, free_port(), secrets.token_bytes(32))
    _write_certificate(folder / "tls")
    jwk = {"kty": "oct", "alg": "HS256", "kid": "platform", "k": _encoded(running.signing_key).decode()}
    (folder / "jwks" / "jwks.json").write_text(json.dumps({"keys": [jwk]}))
    running.set_key(key)
    (folder / "envoy.yaml").write_text(_local(running, http_port, grpc_port))
    with (folder / "envoy.log").open("wb") as log:
        process = subprocess.Popen(
            [str(Path(sys.executable).with_name("envoy")), "-c", str(folder / "envoy.yaml"),
             "--concurrency", "1", "--disable-hot-restart", "-l", "warning"],
            stdout=log, stderr=log,
        )  # fmt: skip
    try:
        _wait(running, process)
        yield running
    finally:
        process.terminate()
        process.wait(timeout=20)


def _local(running: Gateway, http_port: int, grpc_port: int) -> str:
    """The shipped file with this machine's paths, addresses and ports."""
    config = yaml.safe_load(CONFIG.read_text())
    resources = config["static_resources"]
    config["admin"]["address"]["socket_address"]["port_value"] = 0
    listener = resources["listeners"][0]
    listener["address"]["socket_address"] = {"address": "127.0.0.1", "port_value": running.port}
    for cluster, port in zip(resources["clusters"], (grpc_port, http_port), strict=True):
        endpoint = cluster["load_assignment"]["endpoints"][0]["lb_endpoints"][0]["endpoint"]
        endpoint["address"]["socket_address"] = {"address": "127.0.0.1", "port_value": port}
    text = yaml.safe_dump(config, sort_keys=False)
    text = text.replace("/etc/envoy/descriptor/", f"{ROOT / 'voyager_llm' / 'v1'}/")
    return text.replace("/etc/envoy/", f"{running.folder}/")


def _wait(running: Gateway, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + _READY_SECONDS
    trust = ssl.create_default_context(cafile=str(running.certificate))
    while time.monotonic() < deadline and process.poll() is None:
        try:
            if httpx.get(f"{running.url}/healthz", verify=trust, timeout=2).status_code == 200:
                return
        except httpx.HTTPError:
            pass
        time.sleep(0.1)
    raise RuntimeError(f"Envoy did not start:\n{(running.folder / 'envoy.log').read_text()[-3000:]}")


def _write_certificate(folder: Path) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name).issuer_name(name).public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(minutes=5))
        .not_valid_after(now + datetime.timedelta(days=30))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )  # fmt: skip
    (folder / "tls.crt").write_bytes(certificate.public_bytes(Encoding.PEM))
    (folder / "tls.key").write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))


def _replace(path: Path, text: str) -> None:
    """Atomically, as Kubernetes replaces a mounted secret: a watcher sees a move."""
    fresh = path.with_suffix(".new")
    fresh.write_text(text)
    fresh.replace(path)


def _encoded(data: bytes) -> bytes:
    return base64.urlsafe_b64encode(data).rstrip(b"=")
