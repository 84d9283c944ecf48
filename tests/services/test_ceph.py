"""The S3 server of the tests starts, keeps what it is given, and checks signatures."""

import io
from pathlib import Path

import pytest
from minio import Minio
from minio.error import S3Error

from tests.services import ceph
from tests.services.ceph import Ceph
from tests.services.missing import missing


def test_it_keeps_bytes_and_knows_its_user(tmp_path: Path) -> None:
    if (sentence := ceph.absence()) is not None:
        missing(sentence)
    server = Ceph(tmp_path / "ceph")
    server.start()
    try:
        client = Minio(f"127.0.0.1:{server.port}", ceph.ACCESS_KEY, ceph.SECRET_KEY, secure=False, region="us-east-1")
        client.make_bucket("bucket")
        client.put_object("bucket", "key", io.BytesIO(b"content"), 7)
        answer = client.get_object("bucket", "key")
        assert answer.read() == b"content"
        answer.close()
        answer.release_conn()
        stranger = Minio(f"127.0.0.1:{server.port}", ceph.ACCESS_KEY, "wrong", secure=False, region="us-east-1")
        with pytest.raises(S3Error, match="SignatureDoesNotMatch"):
            stranger.get_object("bucket", "key")
    finally:
        server.discard()
    assert not server.folder.exists()
