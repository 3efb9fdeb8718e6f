"""Certificates such as Ray is told of where it uses TLS."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec


def rays_tls(folder: Path) -> dict[str, str]:
    """The environment: an authority, and a certificate that it signed, in files of ``folder``."""
    authority, authority_key = _certificate("authority", None, None)
    leaf, leaf_key = _certificate("node", authority, authority_key)
    files = {"CA_CERT": _pem(authority), "SERVER_CERT": _pem(leaf), "SERVER_KEY": _key(leaf_key)}
    for name, content in files.items():
        (folder / name).write_bytes(content)
    return {"RAY_USE_TLS": "1", **{f"RAY_TLS_{name}": str(folder / name) for name in files}}


def _certificate(name: str, issuer: Any, issuer_key: Any) -> tuple[x509.Certificate, Any]:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer.subject if issuer else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=issuer is None, path_length=None), critical=True)
        .sign(issuer_key or key, hashes.SHA256())
    )
    return made, key


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)


def _key(key: Any) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
