"""Where a call may go: endpoints in one normal form, and addresses that are never called.

A host is checked as it is written, so it must be written in the one form that every client reads alike: the
name in ASCII, an address in its usual notation. `169.254.169.254` has many spellings (full-width digits,
one number, octal, an IPv6 address that holds it), and each client normalises others of them. Used by
`model.py` when a model is defined, and by `deployments/lanes/upstream.py` at every connection.
"""

from __future__ import annotations

import ipaddress
import re
from urllib.parse import urlsplit

# Names under which clouds hand out a machine's credentials; refused like every link-local address.
_METADATA_NAMES = frozenset(
    {"metadata", "metadata.google.internal", "metadata.goog", "instance-data", "instance-data.ec2.internal",
     "metadata.tencentyun.com", "metadata.azure.internal", "api.metadata.cloud.ibm.com",
     "metadata.packet.net", "rancher-metadata"}
)  # fmt: skip
# Addresses for the same that are not link-local, and hold no address that is.
_METADATA = tuple(
    ipaddress.ip_network(network)
    for network in (
        "100.100.100.200", "fd00:100::100:200",  # Alibaba
        "168.63.129.16",  # Azure
        "192.0.0.192",  # Oracle
        "100.88.222.5",  # Tencent
        "fd00:ec2::/32",  # Amazon: of machines, of pods, and what else it serves there
        "fd20:ce::254",  # Google
        "fd00:42::42",  # Scaleway
        "fd00:a9fe:a9fe::1",  # Linode
    )
)  # fmt: skip

_NAME = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?<!-)(\.(?!-)[a-z0-9_-]{1,63}(?<!-))*\.?")
# A last label that is a number makes all of it an IPv4 address (WHATWG URL, "ends in a number").
_ENDS_IN_NUMBER = re.compile(r"(.*\.)?([0-9]+|0x[0-9a-f]*)\.?")
_MAX_NAME = 253

# IPv6 ranges whose addresses end in an IPv4 address.
_ENDING = tuple(
    ipaddress.IPv6Network(network)
    for network in (
        "::ffff:0:0/96",  # mapped (RFC 4291)
        "::ffff:0:0:0/96",  # translated (RFC 2765)
        "::/96",  # compatible (RFC 4291)
        "64:ff9b::/96",  # NAT64 (RFC 6052)
    )
)
# Where networks translate as they like (RFC 8215), behind a prefix of one of these lengths (RFC 6052).
_LOCAL_NAT64 = ipaddress.IPv6Network("64:ff9b:1::/48")
_LOCAL_PREFIXES = (48, 56, 64)
_6TO4 = ipaddress.IPv6Network("2002::/16")  # RFC 3056


def check_endpoint(url: str) -> None:
    """Refuse what is no plain http(s) URL in normal form, or points at a metadata service.

    Raises `ValueError`. What a name stands for is checked again when a connection is made."""
    if any(ch.isspace() or ord(ch) < 0x20 or ch in "?#\\\x7f" for ch in url):
        raise ValueError("must not contain a query, fragment, blanks, backslashes or control characters")
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        raise ValueError("must be an http:// or https:// URL with a host") from None
    if parts.scheme not in ("http", "https") or not host:
        raise ValueError("must be an http:// or https:// URL with a host")
    if "@" in parts.netloc:
        raise ValueError("must not carry credentials; use authentication.secret_ref")
    if port == 0:
        raise ValueError("must not have port 0")
    _check_host(host, in_brackets="[" in parts.netloc)


def _check_host(host: str, *, in_brackets: bool) -> None:
    """``host`` in small letters and without brackets. Raises `ValueError`."""
    try:
        if in_brackets:
            address = ipaddress.IPv6Address(host)
            if address.scope_id is not None:
                raise ValueError
        elif _ENDS_IN_NUMBER.fullmatch(host):
            ipaddress.IPv4Address(host)
        elif len(host) > _MAX_NAME or not _NAME.fullmatch(host):
            raise ValueError
    except ValueError:
        raise ValueError(
            "must name its host in ASCII letters, digits and hyphens, "
            "an address as 192.0.2.1 or [2001:db8::1]"
        ) from None
    if host.rstrip(".") in _METADATA_NAMES or is_forbidden_address(host):
        raise ValueError("link-local and metadata addresses are refused")


def is_forbidden_address(host: str) -> bool:
    """Whether a literal address is link-local, a metadata service, or no single host at all."""
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return False
    return any(_is_refused(one) for one in (address, *_embedded(address)))


def _is_refused(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    return (
        _gives_credentials(address)
        or address.is_multicast
        or address.is_unspecified
        or (address.version == 4 and (address.is_reserved or str(address).startswith("0.")))
    )


def _gives_credentials(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    return address.is_link_local or any(address in network for network in _METADATA)


def _embedded(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> list[ipaddress.IPv4Address]:
    """The IPv4 addresses that an IPv6 address may be turned into on its way, or that it is named after."""
    if isinstance(address, ipaddress.IPv4Address) or address.is_loopback:
        return []
    held = [*(address.teredo or ())]  # server and client (RFC 4380)
    last = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    # Anywhere else, an address ends so where a network translates by a prefix of its own or in ISATAP
    # (RFC 5214), or since a cloud names it so (fd00:c1::a9fe:a9fe); by chance, once in 65,000 times.
    if any(address in network for network in _ENDING) or _gives_credentials(last):
        held.append(last)
    if address in _6TO4:
        held.append(ipaddress.IPv4Address(int(address) >> 80 & 0xFFFFFFFF))
    if address in _LOCAL_NAT64:
        # The octet behind 64 bits says nothing.
        said = int(address) >> 72 << 56 | int(address) & (1 << 56) - 1
        held += (ipaddress.IPv4Address(said >> 88 - length & 0xFFFFFFFF) for length in _LOCAL_PREFIXES)
    return held
