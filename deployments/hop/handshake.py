"""Each end proves to the other that it knows the replica's secret, which never travels over the connection.

The secret reaches routers through Serve's controller, which takes Ray's token. Nonces of both ends keep an
old proof from being of use; the names of the ends keep one end's proof from being sent back to it; with TLS
the replica's certificate is part of the proof, so nobody can stand between. Used by `channel.py` and
`session.py`.
"""

from __future__ import annotations

import hmac
import secrets

from deployments.hop.frames import ProtocolError

_NONCE_BYTES = 32
_PROOF_BYTES = 32


def new_secret() -> bytes:
    return secrets.token_bytes(32)


def _proof(secret: bytes, end: bytes, nonces: bytes, certificate: bytes) -> bytes:
    return hmac.digest(secret, b"voyager-hop/" + end + b"/" + nonces + certificate, "sha256")


class RouterHandshake:
    """The end that connects. ``certificate``: digest of the one that the other end showed; empty: no TLS."""

    def __init__(self, secret: bytes, certificate: bytes) -> None:
        self._secret = secret
        self._certificate = certificate
        self.hello = secrets.token_bytes(_NONCE_BYTES)

    def answer(self, challenge: bytes) -> bytes:
        """The proof for a challenge. Raises `ProtocolError` when whoever sent it does not know the secret."""
        nonce, proof = challenge[:_NONCE_BYTES], challenge[_NONCE_BYTES:]
        nonces = self.hello + nonce
        if len(nonce) != _NONCE_BYTES or not hmac.compare_digest(
            proof, _proof(self._secret, b"replica", nonces, self._certificate)
        ):
            raise ProtocolError("the other end does not know the replica's secret")
        return _proof(self._secret, b"router", nonces, self._certificate)


class ReplicaHandshake:
    """The end that listens. ``certificate``: digest of its own; empty: no TLS."""

    def __init__(self, secret: bytes, certificate: bytes) -> None:
        self._secret = secret
        self._certificate = certificate
        self._nonces = b""

    @property
    def challenged(self) -> bool:
        return bool(self._nonces)

    def challenge(self, hello: bytes) -> bytes:
        """What a router must prove itself by, with the proof of this end. Raises `ProtocolError`."""
        if len(hello) != _NONCE_BYTES:
            raise ProtocolError("no nonce")
        nonce = secrets.token_bytes(_NONCE_BYTES)
        self._nonces = hello + nonce
        return nonce + _proof(self._secret, b"replica", self._nonces, self._certificate)

    def check(self, proof: bytes) -> None:
        """Raises `ProtocolError` when the other end does not know the secret."""
        wanted = _proof(self._secret, b"router", self._nonces, self._certificate)
        if len(proof) != _PROOF_BYTES or not hmac.compare_digest(proof, wanted):
            raise ProtocolError("the other end does not know this replica's secret")
