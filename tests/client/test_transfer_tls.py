"""Bytes over TLS: trusted, and shown a certificate, as the calls to the same server are; refused with the mend."""

import http.client
import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest
from mlmd_client.calls import CallError
from mlmd_client.download import download
from mlmd_client.http_connections import Connections, context_of
from mlmd_client.refusals import busy
from mlmd_client.tls import Tls
from mlmd_client.transport import open_transport
from mlmd_client.upload import upload
from mlmd_schemas.errors import Code
from mlmd_schemas.pb import metadata_store_pb2 as pb

from tests.client.test_transport import channel_is_ready, put_artifact_type
from tests.services.certificates import Certificates, make_certificates
from tests.services.server import Server


@pytest.fixture
def made(tmp_path: Path) -> Certificates:
    """An authority, and a certificate that server and client show."""
    return make_certificates(tmp_path)


@pytest.fixture
def shown(made: Certificates) -> Tls:
    """What a client trusts, and what it shows."""
    return Tls(made.authority.read_bytes(), made.key.read_bytes(), made.certificate.read_bytes())


@pytest.fixture
def server(tmp_path: Path, sqlite_url: str, made: Certificates) -> Iterator[Server]:
    """A server that keeps files in a folder, speaks TLS alone, and demands a certificate."""
    options = ("--tls-cert", str(made.certificate), "--tls-key", str(made.key), "--tls-client-ca", str(made.authority))
    started = Server(sqlite_url, tmp_path / "server", http=True, options=options)
    started.launch()
    yield started
    started.kill()


def test_files_go_over_the_servers_tls(server: Server, shown: Tls, tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(b"bytes")
    transport = open_transport(f"grpcs://localhost:{server.grpc_port}", tls=shown)
    channel_is_ready(transport)
    artifact = pb.Artifact(type_id=put_artifact_type(transport))
    uploaded = upload(transport, artifact, tmp_path / "f")
    assert uploaded.uri.startswith("file://")
    download(transport, uploaded.artifact_id, tmp_path / "copy")
    assert (tmp_path / "copy" / "f").read_bytes() == b"bytes"
    transport.close()


def test_a_certificate_that_is_not_trusted_is_not_waited_for(
    server: Server, shown: Tls, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "f").write_bytes(b"bytes")
    transport = open_transport(f"grpcs://localhost:{server.grpc_port}", tls=shown)
    channel_is_ready(transport)
    artifact = pb.Artifact(type_id=put_artifact_type(transport))
    transport.tls = Tls()  # type: ignore[attr-defined]
    with pytest.raises(CallError, match=r"not trusted here.*SSL_CERT_FILE or AWS_CA_BUNDLE.*tls=Tls\(ca=") as refused:
        upload(transport, artifact, tmp_path / "f")
    assert refused.value.code is Code.UNAVAILABLE
    assert "waiting" not in caplog.text
    transport.close()


def test_an_address_of_bytes_with_the_other_scheme_is_told_with_the_mend() -> None:
    plain = ssl.SSLError(1, "[SSL: WRONG_VERSION_NUMBER] wrong version number (_ssl.c:1006)")
    newer = ssl.SSLError(1, "[SSL: RECORD_LAYER_FAILURE] record layer failure (_ssl.c:1028)")
    for error in (plain, newer):
        said = busy(None, error, "https://minio:9000/b/f", "f", 4).message
        assert "speaks no TLS" in said
        assert "begin with http://" in said
    gone = http.client.RemoteDisconnected("Remote end closed connection without response")
    assert "if it speaks TLS, its address has to begin with https://" in busy(None, gone, "http://h/b", "f", 4).message
    assert "begin with https://" not in busy(None, gone, "https://h/b", "f", 4).message


def test_what_is_no_pem_is_told(made: Certificates) -> None:
    elsewhere = made.authority.parent / "other"
    elsewhere.mkdir()
    other = make_certificates(elsewhere)
    for wrong in (Tls(ca=b"nonsense"), Tls(key=other.key.read_bytes(), certificate=made.certificate.read_bytes())):
        with pytest.raises(CallError, match=r"no PEM that can be used.*see that they are") as refused:
            Connections().speak("https://localhost:1", wrong)
        assert refused.value.code is Code.INVALID_ARGUMENT


def test_comments_beside_authorities_may_be_in_any_language(made: Certificates) -> None:
    named = "# Autorit\u00e9 de test\n".encode() + made.authority.read_bytes()
    assert len(context_of(Tls(ca=named)).get_ca_certs()) == 1
