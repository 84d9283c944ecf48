"""The certificate that the listeners show, which may be renewed while they serve.

Whoever renews it writes its files again, or has a link show to others, as a mounted Secret of Kubernetes does. The
connections that are there stay as they are; those that come have what is in force then. A pair that does not fit, as
there may be while the files are written one by one, changes nothing.
"""

import logging
import os
import ssl
import stat
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NoReturn

import grpc
from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from mlmd_schemas.errors import InvalidArgument, StoreError, Unavailable

from mlmd_api.settings_files import read_bytes

_LOG = logging.getLogger("mlmd.tls")

Note = Callable[[float | None, bool], None]
"""Hears the end of the certificate in force, in seconds since the epoch, and whether what the files hold is it."""
Stamp = tuple[tuple[int, int, int], ...]


@dataclass(frozen=True, slots=True)
class Pems:
    """What TLS needs, as PEM. With `client_ca` the client has to show a certificate that it signed."""

    key: bytes
    certificate: bytes
    client_ca: bytes | None = None


@dataclass(frozen=True, slots=True)
class PemFiles:
    """The files that `Pems` are read from."""

    key: Path
    certificate: Path
    client_ca: Path | None = None

    def read(self) -> Pems:
        """Return their content; raises InvalidArgument naming the option of the file that cannot be read."""
        return Pems(
            read_bytes(self.key, "tls-key"),
            read_bytes(self.certificate, "tls-cert"),
            read_bytes(self.client_ca, "tls-client-ca") if self.client_ca else None,
        )

    def stamp(self) -> Stamp | None:
        """Return what differs when one of the files is another; None where one can be read only once, as a pipe."""
        states = []
        for path in (self.key, self.certificate, self.client_ca):
            if path is not None:
                try:
                    states.append(path.stat())
                except OSError:  # reading it says why, in the log
                    return ()
        if not all(stat.S_ISREG(state.st_mode) for state in states):
            return None
        return tuple((state.st_mtime_ns, state.st_size, state.st_ino) for state in states)


@dataclass(frozen=True, slots=True)
class Shown:
    """A certificate and key that fit, and the authority of the clients. `ends` is in seconds since the epoch."""

    pems: Pems
    context: ssl.SSLContext
    ends: float | None

    @classmethod
    def of(cls, pems: Pems) -> "Shown":
        """Check what is to be shown; raises InvalidArgument naming the option of what cannot be."""
        return cls(pems, _context(pems), _end_of(pems.certificate))

    def __str__(self) -> str:
        return "a certificate" if self.ends is None else f"the certificate that ends {_moment(self.ends)}"


class Certificates:
    """What both listeners of a process show. `look_again`, called by one thread, has it be what is new."""

    look_every_seconds = 1.0

    def __init__(self, pems: Pems, files: PemFiles | None = None, note: Note = lambda ends, is_new: None) -> None:
        """Take what was read at the start; raises InvalidArgument when it cannot be shown.

        Without files it stays what it is.
        """
        self.shown = Shown.of(pems)
        self.demands_client = pems.client_ca is not None
        self._files = files
        self._note = note
        self._stamp: Stamp | None = ()
        self._refused: tuple[Stamp, str] | None = None
        self._told_of_end = False
        self.look_again()  # a worker that replaces another one was told what was in force when its parent began

    def look_again(self) -> None:
        """Take what the files hold when that changed; what cannot be taken goes to the log, and is tried again."""
        stamp = self._files.stamp() if self._files else None
        if self._files and stamp is not None and (stamp != self._stamp or not stamp):
            self._take(self._files, stamp)
        self._note(self.shown.ends, not (self._refused and self._refused[1]))
        self._tell_end()

    def _take(self, files: PemFiles, stamp: Stamp) -> None:
        try:
            pems = files.read()
            if pems != self.shown.pems:
                self.shown = Shown.of(pems)
                self._told_of_end = False
                _LOG.info("new connections get %s from here on", self.shown)
        except StoreError as error:
            self._refuse(stamp, error.message)
            return
        self._stamp, self._refused = stamp, None

    def _refuse(self, stamp: Stamp, why: str) -> None:
        """Say once what is wrong with the files, unless they are just being written one after the other."""
        before, told = self._refused or (None, "")
        self._refused = stamp, why if before == stamp else told
        if before == stamp and told != why:
            _LOG.error("%s stays in force: %s", self.shown, why)

    def _tell_end(self) -> None:
        if self.shown.ends is None or self.shown.ends > time.time() or self._told_of_end:
            return
        self._told_of_end = True
        _LOG.error("tls-cert: %s is over; clients refuse it: renew it", self.shown)

    # What the listeners take.

    def http_context(self) -> ssl.SSLContext:
        """Return a context whose connections are made with what is in force when they come."""
        return _Renewed(lambda: self.shown.context)

    def grpc_credentials(self) -> grpc.ServerCredentials:
        """Return credentials that gRPC core renews with each connection."""
        given = self.shown

        def renewed() -> Any:  # None where nothing is new, which the stubs do not know
            nonlocal given
            now = self.shown
            if now is given:
                return None
            given = now
            return _configuration(now.pems)

        return grpc.dynamic_ssl_server_credentials(_configuration(given.pems), renewed, self.demands_client)


class _Renewed(ssl.SSLContext):
    """Makes each connection of asyncio's with the context of the moment, which has tickets of its own.

    Loading a chain into a context that is in use would let clients whose authority is gone resume their sessions.
    """

    _current: Callable[[], ssl.SSLContext]

    def __new__(cls, current: Callable[[], ssl.SSLContext]) -> "_Renewed":
        context = super().__new__(cls, ssl.PROTOCOL_TLS_SERVER)
        context._current = current
        return context

    def wrap_bio(self, *arguments: Any, **named: Any) -> ssl.SSLObject:
        return self._current().wrap_bio(*arguments, **named)


def _configuration(pems: Pems) -> grpc.ServerCertificateConfiguration:
    return grpc.ssl_server_certificate_configuration([(pems.key, pems.certificate)], pems.client_ca)


def _context(pems: Pems) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        with _as_file(pems.certificate) as certificate, _as_file(pems.key) as key:
            context.load_cert_chain(certificate, key, _no_passphrase)
    except ssl.SSLError as error:
        raise _misfit(pems, error) from None
    except OSError as error:
        raise Unavailable(f"tls-cert: it cannot be handed to OpenSSL at this moment: {error.strerror}.") from error
    if pems.client_ca is not None:
        try:
            context.load_verify_locations(cadata=pems.client_ca.decode("ascii"))
        except (ssl.SSLError, UnicodeDecodeError) as error:
            raise InvalidArgument(f"tls-client-ca: it is no PEM that can be used: {_said(error)}.") from None
        context.verify_mode = ssl.CERT_REQUIRED
    return context


def _misfit(pems: Pems, error: ssl.SSLError) -> InvalidArgument:
    """Return which of the two cannot be used; OpenSSL's own words tell where it noticed."""
    try:
        shown = x509.load_pem_x509_certificate(pems.certificate).public_key()
    except ValueError:
        return InvalidArgument(
            "tls-cert: the file holds no certificate as PEM, a text from `-----BEGIN CERTIFICATE-----` on; give it the "
            "certificate and, below, those that lead to its authority."
        )
    try:
        held = load_pem_private_key(pems.key, None).public_key()
    except (ValueError, UnsupportedAlgorithm):
        return InvalidArgument(
            "tls-key: the file holds no private key as PEM, a text from `-----BEGIN PRIVATE KEY-----` on; give it the "
            "key that the certificate was made for."
        )
    if shown != held:
        return InvalidArgument("tls-key: the key does not fit the certificate of tls-cert.")
    return InvalidArgument(f"tls-cert: OpenSSL refuses certificate and key: {_said(error)}.")


def _said(error: Exception) -> str:
    return str(getattr(error, "reason", None) or error)


def _no_passphrase() -> NoReturn:
    raise InvalidArgument("tls-key: the key has a passphrase, which nobody could be asked for; write it without one.")


@contextmanager
def _as_file(pem: bytes) -> Iterator[str]:
    """Give bytes a path to be read from, in memory where the system can, so that no folder has to be writable."""
    if hasattr(os, "memfd_create"):
        number = os.memfd_create("mlmd-tls")
        with os.fdopen(number, "wb") as memory:
            memory.write(pem)
            memory.flush()
            yield f"/proc/self/fd/{number}"
    else:
        with tempfile.NamedTemporaryFile() as file:
            file.write(pem)
            file.flush()
            yield file.name


def _end_of(certificate: bytes) -> float | None:
    """Return when the first of a chain ends."""
    try:
        return min(one.not_valid_after_utc.timestamp() for one in x509.load_pem_x509_certificates(certificate))
    except ValueError as error:
        _LOG.warning("tls-cert: when the certificate ends cannot be read (%s)", error)
        return None


def _moment(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
