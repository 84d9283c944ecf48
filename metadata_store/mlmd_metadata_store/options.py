"""How a store is opened: the settings that are the same for every call."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class StoreOptions:
    """Settings of one store; times are in seconds, sizes in bytes."""

    enable_upgrade: bool = False
    """Bring schema versions 0 to 9 to 10 when opening; otherwise they are refused."""
    downgrade_to: int = -1
    """Take the schema down to this version and end with CANCELLED; below 0 means no."""
    google_text: bool = False
    """Create MySQL databases with text as Google's server keeps it, so that a team can go back."""
    pool_size: int = 16
    """Connections to read with, and as many to write with."""
    pool_timeout_seconds: float = 30.0
    attempts: int = 10
    """How often a write is tried when it loses against another; 1 switches retries off."""
    lock_timeout_seconds: float = 5.0
    """How long one attempt waits for a lock of SQLite."""
    read_only: bool = False
    """Write nothing to a SQLite file, not even what opening adds to one; on MySQL the user's rights say it."""
    create_database: bool = True
    """Create a MySQL database that is not there."""
    ssl_key: str = ""
    ssl_cert: str = ""
    ssl_ca: str = ""
    ssl_capath: str = ""
    ssl_cipher: str = ""
    ssl_mode: str = ""
    """MySQL's ssl-mode: DISABLED, PREFERRED, REQUIRED, VERIFY_CA, VERIFY_IDENTITY; empty leaves it to the client."""
    socket: str = ""
