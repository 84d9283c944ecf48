"""Certificates, and our server with its HTTP port open."""

import datetime
import ipaddress
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.services import browser as browser_service
from tests.services.browser import Browser, Pages, serving_pages
from tests.services.missing import missing
from tests.services.server import Server


@dataclass(frozen=True)
class Certificate:
    """A certificate and its key, as PEM files."""

    certificate: Path
    key: Path


@dataclass(frozen=True)
class Authority:
    """A certificate authority with one server and one client certificate, and a client of somebody else's."""

    ca: Path
    server: Certificate
    client: Certificate
    stranger: Certificate


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _key_usage(is_ca: bool) -> x509.KeyUsage:
    """What Python 3.13 demands: an authority signs certificates, the others sign handshakes."""
    unused = dict.fromkeys(("content_commitment", "key_encipherment", "data_encipherment", "key_agreement"), False)
    unused |= dict.fromkeys(("crl_sign", "encipher_only", "decipher_only"), False)
    return x509.KeyUsage(digital_signature=not is_ca, key_cert_sign=is_ca, **unused)


class _Signer:
    def __init__(self, folder: Path, name: str) -> None:
        self.folder, self.name = folder, name
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.path = folder / f"{name}.pem"
        self._write(self.path, self._build(name, self.key, is_ca=True))

    def _build(self, name: str, key: ec.EllipticCurvePrivateKey, is_ca: bool, days: int = 1) -> x509.Certificate:
        today = datetime.datetime.now(datetime.UTC)
        addresses = [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
        return (
            x509.CertificateBuilder()
            .subject_name(_name(name))
            .issuer_name(_name(self.name))
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(today - datetime.timedelta(days=2))
            .not_valid_after(today + datetime.timedelta(days=days))
            .add_extension(x509.BasicConstraints(ca=is_ca, path_length=None), critical=True)
            .add_extension(x509.SubjectAlternativeName(addresses), critical=False)
            .add_extension(_key_usage(is_ca), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(self.key.public_key()), critical=False)
            .sign(self.key, hashes.SHA256())
        )

    def _write(self, path: Path, certificate: x509.Certificate) -> None:
        path.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))

    def issue(self, name: str, days: int = 1) -> Certificate:
        """Return a fresh certificate signed by this authority, good for so many days; below 0 it is over."""
        key = ec.generate_private_key(ec.SECP256R1())
        made = Certificate(self.folder / f"{name}.pem", self.folder / f"{name}.key")
        self._write(made.certificate, self._build(name, key, is_ca=False, days=days))
        made.key.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )
        return made


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """A certificate authority of the run."""
    folder = tmp_path_factory.mktemp("certificates")
    ours, theirs = _Signer(folder, "ours"), _Signer(folder, "theirs")
    return Authority(ours.path, ours.issue("server"), ours.issue("client"), theirs.issue("stranger"))


@pytest.fixture(scope="session")
def next_authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """The authority that comes after: its certificate of the server ends later, its stranger's has ended."""
    signer = _Signer(tmp_path_factory.mktemp("certificates"), "next")
    return Authority(signer.path, signer.issue("server", 3), signer.issue("client"), signer.issue("stranger", -1))


@pytest.fixture
def running(tmp_path: Path, sqlite_url: str) -> Iterator[Server]:
    """Our server on a SQLite file, both ports open."""
    with Server(sqlite_url, tmp_path / "server", http=True) as server:
        yield server


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """The run's Chromium (a second to start), on whatever page the test before left it."""
    if (sentence := browser_service.absence()) is not None:
        missing(sentence)
    started = Browser()
    yield started
    started.close()


@pytest.fixture(scope="session")
def pages() -> Iterator[Pages]:
    """A site with pages of any origin below `.example`, and of `localhost`."""
    with serving_pages() as site:
        yield site
