"""Where a webhook may be posted to: addresses of the public internet, unless the operator allows others.

A name is resolved once, every address of it is judged, and the connection goes to the address that was judged: a name
that resolves to something else a moment later (DNS rebinding) gains nothing.
"""

import ipaddress
import socket
from dataclasses import dataclass
from urllib.parse import urlsplit

from mlmd_schemas.errors import InvalidArgument

LONGEST_URL = 2048
_EMBEDS_IPV4 = ipaddress.ip_network("64:ff9b::/96")
_PORTS = {"http": 80, "https": 443}
IpAddress = ipaddress.IPv4Address | ipaddress.IPv6Address


@dataclass(frozen=True, slots=True)
class Destination:
    """Where a URL leads, before its name is resolved."""

    scheme: str
    host: str
    port: int
    target: str
    """Path and query."""


def parse_destination(url: str) -> Destination:
    """Return where a webhook's URL leads; raises InvalidArgument for what is no URL to post to."""
    if len(url) > LONGEST_URL or not url.isascii() or not url.isprintable() or " " in url:
        raise InvalidArgument(
            f"url: {url[:80]!r} is longer than {LONGEST_URL} characters, or has others than printable ASCII."
        )
    try:
        parts = urlsplit(url)
        port = _PORTS.get(parts.scheme, 0) if parts.port is None else parts.port
    except ValueError:
        raise InvalidArgument(f"url: {url[:80]!r} is no URL.") from None
    if parts.scheme not in _PORTS or not parts.hostname or not port:
        raise InvalidArgument(f"url: {url[:80]!r} is no http:// or https:// URL with a host, or its port is 0.")
    if parts.username is not None or parts.fragment:
        raise InvalidArgument("url: leave out user, password and fragment; the signature tells who posts.")
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return Destination(parts.scheme, parts.hostname, port, target)


def judged_address(destination: Destination, *, private_too: bool) -> str:
    """Return the address to connect to; raises InvalidArgument for a name without any or with one that is private."""
    try:
        found = socket.getaddrinfo(destination.host, destination.port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        raise InvalidArgument(f"url: the name {destination.host[:80]!r} cannot be resolved.") from None
    addresses = [str(entry[4][0]) for entry in found]
    for address in addresses:
        if not private_too and not is_public(ipaddress.ip_address(address.partition("%")[0])):
            raise InvalidArgument(
                f"url: {destination.host[:80]!r} is at {address}, which is no address of the public internet; the "
                "operator can allow that with --webhook-private-addresses."
            )
    return addresses[0]


def check_destination(url: str, *, private_too: bool) -> None:
    """Raise InvalidArgument for a URL that is none, or whose host is an address that may not be posted to."""
    destination = parse_destination(url)
    try:
        ipaddress.ip_address(destination.host)
    except ValueError:
        return  # a name is judged each time it is posted to
    judged_address(destination, private_too=private_too)


def is_public(address: IpAddress) -> bool:
    """Tell whether an address, and any that is wrapped in it, is one of the public internet."""
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped is not None:
            return is_public(address.ipv4_mapped)
        if address.sixtofour is not None:
            return is_public(address.sixtofour)
        if address.teredo is not None:
            return False
        if address in _EMBEDS_IPV4:
            return is_public(ipaddress.IPv4Address(int(address) & 0xFFFFFFFF))
    return address.is_global and not address.is_multicast
