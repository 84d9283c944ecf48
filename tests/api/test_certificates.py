"""What is told of a certificate and a key that cannot be shown."""

from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from mlmd_api.certificates import Pems, Shown
from mlmd_schemas.errors import InvalidArgument

from tests.services.certificates import Certificates, make_certificates


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return make_certificates(tmp_path_factory.mktemp("certificates"))


def _refusal(key: bytes, certificate: bytes) -> str:
    with pytest.raises(InvalidArgument) as caught:
        Shown.of(Pems(key, certificate))
    return caught.value.message


def test_a_pair_that_fits_is_taken(made: Certificates) -> None:
    assert Shown.of(Pems(made.key.read_bytes(), made.certificate.read_bytes())).ends is not None


@pytest.mark.parametrize(
    "content", [b"", b"no PEM\n", b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"]
)
def test_what_holds_no_certificate_is_told_by_its_option(content: bytes, made: Certificates) -> None:
    assert _refusal(made.key.read_bytes(), content).startswith("tls-cert: the file holds no certificate as PEM")


def test_a_certificate_and_a_key_that_changed_places_are_told(made: Certificates) -> None:
    refusal = _refusal(made.certificate.read_bytes(), made.key.read_bytes())
    assert refusal.startswith("tls-cert: the file holds no certificate as PEM")


@pytest.mark.parametrize(
    "content", [b"", b"no PEM\n", b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"]
)
def test_what_holds_no_key_is_told_by_its_option(content: bytes, made: Certificates) -> None:
    assert _refusal(content, made.certificate.read_bytes()).startswith("tls-key: the file holds no private key as PEM")


def test_a_key_of_another_kind_does_not_fit_either(made: Certificates) -> None:
    rsa_key = rsa.generate_private_key(65537, 2048)
    pem = rsa_key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    assert _refusal(pem, made.certificate.read_bytes()) == "tls-key: the key does not fit the certificate of tls-cert."


def test_a_key_of_the_same_kind_that_does_not_fit_is_told(made: Certificates, tmp_path: Path) -> None:
    other = make_certificates(tmp_path).key.read_bytes()
    assert (
        _refusal(other, made.certificate.read_bytes()) == "tls-key: the key does not fit the certificate of tls-cert."
    )
