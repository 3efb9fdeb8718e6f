"""TLS between nodes, where Ray has it (``RAY_USE_TLS``): with Ray's own certificates, asked of both ends.

The names in certificates are not looked at: any that Ray's authority has signed is one of the cluster, and
the handshake binds the proof of the replica's secret to the certificate that was seen (`handshake.py`).
Used by both ends.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import ssl
from pathlib import Path


def wanted() -> bool:
    return os.environ.get("RAY_USE_TLS", "0").lower() in ("1", "true")


def context(purpose: ssl.Purpose) -> ssl.SSLContext | None:
    """For servers (``CLIENT_AUTH``) or clients (``SERVER_AUTH``); None where Ray uses no TLS.

    Raises `OSError` and `KeyError` where Ray's certificates are missing, with which Ray does not start."""
    if not wanted():
        return None
    made = ssl.create_default_context(purpose, cafile=os.environ["RAY_TLS_CA_CERT"])
    made.minimum_version = ssl.TLSVersion.TLSv1_2
    made.load_cert_chain(os.environ["RAY_TLS_SERVER_CERT"], os.environ["RAY_TLS_SERVER_KEY"])
    made.check_hostname = False
    made.verify_mode = ssl.CERT_REQUIRED
    return made


def own_certificate(transport: asyncio.BaseTransport) -> bytes:
    """Digest of the certificate that this end shows on a connection; empty: it has no TLS."""
    if transport.get_extra_info("ssl_object") is None:
        return b""
    text = Path(os.environ["RAY_TLS_SERVER_CERT"]).read_text()
    end = "-----END CERTIFICATE-----"
    leaf = text[text.index("-----BEGIN CERTIFICATE-----") : text.index(end) + len(end)]
    return hashlib.sha256(ssl.PEM_cert_to_DER_cert(leaf)).digest()


def seen_certificate(transport: asyncio.BaseTransport) -> bytes:
    """Digest of the certificate that the other end showed; empty: no TLS."""
    secured: ssl.SSLObject | None = transport.get_extra_info("ssl_object")
    if secured is None:
        return b""
    return hashlib.sha256(secured.getpeercert(binary_form=True) or b"").digest()
