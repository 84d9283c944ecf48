"""The options that name web origins, hosts and the server's own address, each in the form in which it is compared.

What a browser or a client never says would be taken in silence and match nothing. It is light, as the options are.
"""

import re
from urllib.parse import urlsplit

from mlmd_schemas.shown import shown

from mlmd_server.config import AUTO

_WORDS = ("*", "loopback")
"""Everything, and what is of this machine: `EVERYTHING` and `LOOPBACK` of the listener."""
_NO_PAGE_OF_A_SITE = "null"
"""The origin that a browser says of a page in a sandbox or from a file."""
_HOST = re.compile(r"[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*|[0-9A-Fa-f.]*:[0-9A-Fa-f:.]+")
"""A name, in the letters that a browser asks for it with (xn--… for others), or an address."""
_ADDRESS = re.compile(r"https?://[^\s@?#/]+(/[^\s?#]*)?")
_ORIGIN = re.compile(r"([a-z][a-z0-9+.-]*)://(\[[0-9a-f:.]+\]|[a-z0-9._-]+)(?::([1-9][0-9]{0,4}))?")
_OWN_PORTS = {("http", "80"), ("https", "443")}
"""Ports that a browser leaves out."""


def read_list(value: str) -> tuple[str, ...]:
    """Return the items between commas."""
    return tuple(item.strip() for item in value.split(",") if item.strip())


def read_address(value: str) -> str:
    """Return the base address of the listener, which may be empty; raises ValueError with the reason."""
    if value and not _is_address(value):
        raise ValueError("is no address; write http://host:port or https://host, perhaps with a path, and nothing more")
    return value


def read_origins(value: str) -> tuple[str, ...]:
    """Return origins as browsers say them, or words that stand for some; raises ValueError with the reason."""
    origins = read_list(value)
    for origin in origins if origins != (AUTO,) else ():
        if origin not in (*_WORDS, _NO_PAGE_OF_A_SITE) and not _is_origin(origin):
            raise ValueError(
                f"has {shown(origin)}, which no browser says of a page; write scheme://host or scheme://host:port, in "
                "lower case, with nothing behind it, and without the port that the scheme has anyway"
            )
    return origins


def read_hosts(value: str) -> tuple[str, ...]:
    """Return names of hosts, or words that stand for some; raises ValueError with the reason."""
    hosts = tuple(host[1:-1] if host.startswith("[") and host.endswith("]") else host for host in read_list(value))
    for host in hosts if hosts != (AUTO,) else ():
        if host == AUTO or (host not in _WORDS and not _HOST.fullmatch(host)):
            raise ValueError(f"has {shown(host)}, which is no host's name; write it without scheme, port, path and `*`")
    return hosts


def _is_address(value: str) -> bool:
    try:
        parts = urlsplit(value)
        host, port = parts.hostname, parts.port
    except ValueError:  # a bracket that is not closed, a port that is none
        return False
    return bool(_ADDRESS.fullmatch(value) and host and _HOST.fullmatch(host)) and port != 0


def _is_origin(value: str) -> bool:
    match = _ORIGIN.fullmatch(value)
    return match is not None and bool(_HOST.fullmatch(match[2].strip("[]"))) and (match[1], match[3]) not in _OWN_PORTS
