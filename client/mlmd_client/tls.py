"""What TLS is spoken with."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Tls:
    """How TLS is spoken, as PEM. Without `ca` the authorities that gRPC brings along are trusted."""

    ca: bytes | None = None
    key: bytes | None = None
    certificate: bytes | None = None
