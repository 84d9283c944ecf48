"""Who is asking. This is the one place where that is decided, for every wire.

`none` takes everybody for a local administrator. `tokens=FILE` wants `Authorization: Bearer <token>` as gRPC metadata
or HTTP header, and looks it up in a TOML file, which is read again when it changes:

    [[token]]
    sha256 = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"   # or: token = "…"
    subject = "alice"
    tenant = "vision"       # left out: the default database
    roles = ["writer"]      # reader, writer, admin; each includes the ones before it
"""

import hashlib
import hmac
import logging
import re
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from mlmd_schemas.caller import Role
from mlmd_schemas.errors import InvalidArgument, Unauthenticated

from mlmd_api.settings_files import read_toml

_LOG = logging.getLogger("mlmd.callers")
_LOOK_EVERY_SECONDS = 1.0
_RANKS = tuple(Role)
_SENDABLE = re.compile(r"[!-~](?:[ -~]*[!-~])?")
"""What `Authorization: Bearer …` can be followed by."""


@dataclass(frozen=True, slots=True)
class Identity:
    """Who the caller is: a name for the log, a tenant, and every role it may act in."""

    subject: str
    tenant: str
    roles: frozenset[Role]


LOCAL_ADMIN = Identity("local", "", frozenset(Role))
LOCAL_READER = Identity("local", "", frozenset({Role.READER}))
NOBODY = Identity("", "", frozenset())


class Authenticator(Protocol):
    """Something that knows a caller by the metadata of a call."""

    def identify(self, metadata: Mapping[str, str]) -> Identity:
        """Return who is asking; raises Unauthenticated."""


class Everybody:
    """`--auth none`: whoever reaches the port may do everything, or everything that does not write."""

    def __init__(self, read_only: bool = False) -> None:
        self.read_only = read_only
        self._identity = LOCAL_READER if read_only else LOCAL_ADMIN

    def identify(self, metadata: Mapping[str, str]) -> Identity:
        """Return the local administrator, or the local reader."""
        return self._identity


class TokenFile:
    """`--auth tokens=FILE`: bearer tokens, kept in the file as they are or as their SHA-256."""

    def __init__(self, path: Path) -> None:
        """Read the file; raises InvalidArgument naming the entry that is wrong."""
        self._path = path
        self._lock = threading.Lock()
        self._looked = time.monotonic()
        self._stamp = _stamp(path)
        self._identities = read_tokens(path)
        self._complaint = ""

    def identify(self, metadata: Mapping[str, str]) -> Identity:
        """Return the owner of the bearer token; raises Unauthenticated."""
        scheme, _, token = metadata.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not token.strip():
            raise Unauthenticated("authorization: this server wants `Bearer <token>`; send the token you were given.")
        self._look_again()
        digest = token_digest(token.strip())
        found = NOBODY
        for known, identity in self._identities.items():
            if hmac.compare_digest(known, digest):
                found = identity
        if found is NOBODY:
            raise Unauthenticated("authorization: this server does not know the token; ask its operator for one.")
        return found

    def _look_again(self) -> None:
        now = time.monotonic()
        if now - self._looked < _LOOK_EVERY_SECONDS or not self._lock.acquire(blocking=False):
            return
        try:
            self._looked = now
            stamp = _stamp(self._path)
            if stamp != self._stamp:
                self._see_that_it_ends()
                self._identities = read_tokens(self._path)
                self._stamp = stamp
                _LOG.info("read the tokens again: %d in %s", len(self._identities), self._path)
            self._complaint = ""
        except InvalidArgument as error:
            if error.message != self._complaint:  # it is read again each second, until it can be
                _LOG.error("the tokens read before stay in force: %s", error.message)
            self._complaint = error.message
        finally:
            self._lock.release()

    def _see_that_it_ends(self) -> None:
        """Raise InvalidArgument where a pipe took the file's place: whoever opens it waits for somebody to write."""
        if self._path.is_fifo():
            raise InvalidArgument(f"auth: {str(self._path)!r} is a pipe now, which is read at the start alone.")


def token_digest(token: str) -> str:
    """Return the SHA-256 of a token, as the token file may hold it."""
    return hashlib.sha256(token.encode()).hexdigest()


def read_tokens(path: Path) -> dict[str, Identity]:
    """Return the identities of a token file by the digest of their token; raises InvalidArgument.

    No error shows a token, whatever shape it was written in.
    """
    content = read_toml(path, "auth")
    entries = content.get("token", [])
    if set(content) - {"token"}:
        raise InvalidArgument(f"auth: {str(path)!r} may hold tables [[token]] and nothing else.")
    if not isinstance(entries, list):
        raise InvalidArgument(f"auth: in {str(path)!r} write each token as a table of its own, [[token]].")
    if not entries:
        _LOG.warning("auth: %r holds no token, so nobody may call; write a table [[token]] for each", str(path))
    known: dict[str, Identity] = {}
    for number, entry in enumerate(entries, 1):
        digest, identity = _entry(path, number, entry)
        if digest in known:
            raise InvalidArgument(
                f"auth: token {number} of {str(path)!r} is {known[digest].subject!r}'s, too; give each its own."
            )
        known[digest] = identity
    return known


def _entry(path: Path, number: int, entry: Any) -> tuple[str, Identity]:
    place = f"auth: token {number} of {str(path)!r}"
    if not isinstance(entry, dict):
        raise InvalidArgument(f"auth: in {str(path)!r} write each token as a table of its own, [[token]].")
    unknown = sorted(set(entry) - {"token", "sha256", "subject", "tenant", "roles"})
    if unknown:
        raise InvalidArgument(f"{place} has {unknown[0]!r}; it may have token or sha256, subject, tenant and roles.")
    if ("token" in entry) == ("sha256" in entry):
        raise InvalidArgument(f"{place} needs exactly one of token and sha256.")
    for name in ("token", "sha256", "subject", "tenant"):
        if not isinstance(entry.get(name, ""), str):
            shown = "" if name in ("token", "sha256") else f"{entry[name]!r:.40}, which is "
            raise InvalidArgument(f"{place}: {name} is {shown}no text; write it in quotes.")
    if not entry.get("subject"):
        raise InvalidArgument(f"{place} has no subject; say whose it is, so that the log can.")
    roles = included_roles(entry.get("roles", [Role.READER]), place)
    return _digest(entry, place), Identity(entry["subject"], entry.get("tenant", ""), roles)


def _digest(entry: dict[str, str], place: str) -> str:
    if "token" in entry:
        if not _SENDABLE.fullmatch(entry["token"]):
            raise InvalidArgument(
                f"{place}: token is nothing that a header can carry; use printable ASCII characters, and no space at "
                "its ends."
            )
        return token_digest(entry["token"])
    digest = entry["sha256"].lower()
    if len(digest) != 64 or set(digest) - set("0123456789abcdef"):
        raise InvalidArgument(f"{place}: sha256 is not 64 hexadecimal digits.")
    return digest


def included_roles(names: Any, place: str) -> frozenset[Role]:
    """Return the roles that a list names and those they include; raises InvalidArgument for what is no such list."""
    if not isinstance(names, list):
        raise InvalidArgument(f'{place}: roles is {names!r:.40}; write a list, as in ["writer"].')
    ranks = [_RANKS.index(Role(name)) if name in _RANKS else -1 for name in names]
    if not ranks or min(ranks) < 0:
        raise InvalidArgument(f"{place}: roles is {names!r:.80}; choose among reader, writer and admin.")
    return frozenset(_RANKS[: max(ranks) + 1])


def _stamp(path: Path) -> tuple[int, int, int]:
    try:
        state = path.stat()
    except OSError:  # reading it says why, in the log
        return (0, 0, 0)
    return state.st_mtime_ns, state.st_size, state.st_ino
