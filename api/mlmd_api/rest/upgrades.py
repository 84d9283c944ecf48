"""Offers to go on in another protocol, which a server may pass over (RFC 9110, section 7.8), and this one does.

The HTTP client of Java's own library offers h2c with the first request of each connection, and `curl --http2` does. The
parser takes such an offer for accepted, stops at the end of the head, and never hands over the body: the call would be
one without a message. So the head is parsed once more, without the offer.
"""

from collections.abc import Iterable, Iterator

import httptools

Header = tuple[bytes, bytes]
_OFFER = (b"upgrade", b"http2-settings")
_HOP = b"connection"


def parser_for(protocol: object) -> httptools.HttpRequestParser:
    """Return a parser that calls a protocol, set up as uvicorn sets up its own."""
    parser = httptools.HttpRequestParser(protocol)
    parser.set_dangerous_leniencies(lenient_data_after_close=True)
    return parser


def plain_head(method: bytes, url: bytes, version: str, headers: Iterable[Header]) -> bytes:
    """Return the head of a request without its offer of another protocol; names of headers come in lower case."""
    lines = [b"%b %b HTTP/%b" % (method, url, version.encode())]
    lines += [b"%b: %b" % header for header in _kept(headers)]
    return b"\r\n".join([*lines, b"", b""])


def _kept(headers: Iterable[Header]) -> Iterator[Header]:
    for name, value in headers:
        if name == _HOP:
            tokens = [token for token in value.split(b",") if token.strip().lower() not in _OFFER]
            if tokens:
                yield name, b",".join(tokens)
        elif name not in _OFFER:
            yield name, value
