"""The HTTP client over TLS: whom it believes, and what it says when it does not."""

from __future__ import annotations

import ssl
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import aiohttp
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from deployments.lanes.roundtrip import Connector, Destination, RoundTrip
from deployments.lanes.upstream import Upstream, client_fault
from tests.support.scripted_server import scripted_server
from voyager_llm import errors
from voyager_llm.settings import Settings

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"


def certificate(directory: Path, names: list[x509.GeneralName]) -> tuple[ssl.SSLContext, Path]:
    """A server's context with a certificate of its own for ``names``, and the certificate."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name).issuer_name(name).public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1)).not_valid_after(now + timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )  # fmt: skip
    pem = directory / "certificate.pem"
    pem.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    secret = directory / "key.pem"
    secret.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(pem, secret)
    return context, pem


@pytest.mark.parametrize("right", [True, False])
async def test_a_certificate_must_be_for_the_host(tmp_path: Path, right: bool) -> None:
    served, pem = certificate(
        tmp_path, [x509.IPAddress(ip_address("127.0.0.1"))] if right else [x509.DNSName("other.example")]
    )
    connector = Connector(ssl=ssl.create_default_context(cafile=str(pem)))
    async with scripted_server(served) as server:
        server.play([OK])
        to = Destination("POST", f"https://127.0.0.1:{server.port}/")
        trip = RoundTrip(connector, to, {}, b"", connect_s=5.0, total_s=5.0, idle_s=0.0)
        if right:
            async with trip as reply:
                assert await reply.piece() == b"hello"
            async with RoundTrip(connector, to, {}, b"", connect_s=5.0, total_s=5.0, idle_s=0.0) as reply:
                assert await reply.piece() == b"hello"
            assert server.requests == [2]
        else:
            with pytest.raises(aiohttp.ClientConnectorCertificateError) as refused:
                async with trip:
                    pass
            assert isinstance(client_fault(refused.value, 5.0), errors.UpstreamUnreachable)
        await connector.close()


async def test_a_certificate_of_nobody_is_refused(tmp_path: Path) -> None:
    served, _ = certificate(tmp_path, [x509.IPAddress(ip_address("127.0.0.1"))])
    upstream = Upstream(Settings())
    async with scripted_server(served) as server:
        server.play([OK])
        with pytest.raises(errors.UpstreamUnreachable):
            await upstream.reachable(f"https://127.0.0.1:{server.port}/", {}, 5.0)
        assert sum(server.requests) == 0, "nothing may be sent to it"
    await upstream.close()
