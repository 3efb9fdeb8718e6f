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
    {"metadata", "metadata.google.internal", "metadata.goog", "instance-data", "instance-data.ec2.internal"}
)
# Addresses for the same that are not link-local: Alibaba, Azure, Oracle, AWS and Google by IPv6.
_METADATA_ADDRESSES = frozenset(
    {"100.100.100.200", "168.63.129.16", "192.0.0.192", "fd00:ec2::254", "fd20:ce::254"}
)

_NAME = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?<!-)(\.(?!-)[a-z0-9_-]{1,63}(?<!-))*\.?")
# A last label that is a number makes all of it an IPv4 address (WHATWG URL, "ends in a number").
_ENDS_IN_NUMBER = re.compile(r"(.*\.)?([0-9]+|0x[0-9a-f]*)\.?")
_MAX_NAME = 253

# IPv6 ranges whose addresses hold an IPv4 address, and how many bits stand behind it.
_EMBEDDING = (
    (ipaddress.IPv6Network("::ffff:0:0/96"), 0),  # mapped (RFC 4291)
    (ipaddress.IPv6Network("::ffff:0:0:0/96"), 0),  # translated (RFC 2765)
    (ipaddress.IPv6Network("::/96"), 0),  # compatible (RFC 4291)
    (ipaddress.IPv6Network("64:ff9b::/96"), 0),  # NAT64 (RFC 6052)
    (ipaddress.IPv6Network("64:ff9b:1::/48"), 0),  # NAT64, local (RFC 8215)
    (ipaddress.IPv6Network("2002::/16"), 80),  # 6to4 (RFC 3056)
)


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
    return any(
        str(one) in _METADATA_ADDRESSES
        or one.is_link_local
        or one.is_multicast
        or one.is_unspecified
        or (one.version == 4 and (one.is_reserved or str(one).startswith("0.")))
        for one in (address, *_embedded(address))
    )


def _embedded(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> list[ipaddress.IPv4Address]:
    """The IPv4 addresses that an IPv6 address may be turned into on its way."""
    if isinstance(address, ipaddress.IPv4Address) or address.is_loopback:
        return []
    held = [
        ipaddress.IPv4Address((int(address) >> behind) & 0xFFFFFFFF)
        for network, behind in _EMBEDDING
        if address in network
    ]
    return [*held, *(address.teredo or ())]  # server and client (RFC 4380)
