"""Little files through a server: one look at the database each, whole answers, bodies that come in any pieces."""

import hashlib
import json
import socket
import time
from collections.abc import Sequence
from io import BytesIO
from pathlib import Path

import pytest
import urllib3
from mlmd_artifact_store.artifacts import Artifacts
from mlmd_artifact_store.local import LocalStore
from mlmd_metadata_store.store import Store
from mlmd_schemas.errors import NotFound

from tests.artifact_store.served import Client, uploaded
from tests.artifact_store.uploads import begin, upload_file
from tests.services.server import Server

EDGES = (0, 1, 64 * 1024 - 1, 64 * 1024, 64 * 1024 + 1, 256 * 1024, 256 * 1024 + 1, 700_000)


def test_a_file_is_taken_and_given_by_one_look(store: Store, tmp_path: Path) -> None:
    artifacts, seen = Artifacts(store, LocalStore(tmp_path)), list[str]()
    artifact_id = artifacts.begin_upload(begin(store, upload_file("a", b"aa"), upload_file("b", b"bb"))).artifact_id
    artifacts.put_file(artifact_id, "a", BytesIO(b"aa"))
    store.database.watch = lambda statement: seen.append(statement.split()[0])
    artifacts.put_file(artifact_id, "b", BytesIO(b"bb"))
    assert seen == ["SELECT"]
    artifacts.commit_upload(artifact_id)
    seen.clear()
    assert b"".join(artifacts.read(artifact_id, "a")) == b"aa"
    assert seen == ["SELECT", "UPDATE"], "it is noted as verified"
    seen.clear()
    assert b"".join(artifacts.read(artifact_id, "a")) == b"aa"
    assert b"".join(artifacts.read_range(artifact_id, "b", 1, 1)) == b"b"
    assert seen == ["SELECT", "SELECT"]
    with pytest.raises(NotFound, match="has no file 'c'"):
        artifacts.read(artifact_id, "c")


def test_files_of_every_size_come_back(local: Server, http: urllib3.PoolManager) -> None:
    contents = {str(size): bytes(range(256)) * (size // 256) + b"x" * (size % 256) for size in EDGES}
    client, artifact_id = uploaded(local, http, contents)
    for path, signed in client.downloads(artifact_id).items():
        answer = http.request("GET", signed.url, retries=False)
        assert (answer.status, answer.headers["content-length"]) == (200, path)
        assert answer.headers["etag"] == f'"{hashlib.sha256(contents[path]).hexdigest()}"'
        assert answer.data == contents[path]


def test_a_little_file_that_is_damaged_is_told(local: Server, http: urllib3.PoolManager) -> None:
    client, artifact_id = uploaded(local, http, {"f": b"right"})
    (path,) = (local.folder / "mlmd-data" / "artifacts").glob(f"_/system.Model/_/{artifact_id}/f")
    path.write_bytes(b"wrong")
    url = client.downloads(artifact_id)["f"].url
    answer = http.request("GET", url, retries=False)
    assert (answer.status, json.loads(answer.data)["code"]) == (500, "data_loss")
    assert b"wrong" not in answer.data
    part = http.request("GET", url, headers={"range": "bytes=0-3"}, retries=False)
    assert (part.status, part.data) == (206, b"wron"), "a part is for the reader to judge"
    path.write_bytes(b"wro")
    for span, status in (("0-2", 206), ("0-3", 500), ("-1", 500), ("4-", 500)):
        part = http.request("GET", url, headers={"range": f"bytes={span}"}, retries=False)
        assert part.status == status, "one that ends too early is no part"
    assert json.loads(part.data) == {
        "code": "data_loss",
        "message": f"The file 'f' of artifact {artifact_id} has changed in the store: it has nothing from byte 4 on, "
        "and 5 bytes by its manifest; restore it from a copy.",
    }


def put_in_pieces(server: Server, url: str, head: str, pieces: Sequence[bytes]) -> bytes:
    """Say a PUT on a socket of its own, with waits between the pieces; return the answer's first line."""
    target = url.removeprefix(server.http_url)
    with socket.create_connection(("127.0.0.1", server.http_port), 60) as sock:
        sock.sendall(f"PUT {target} HTTP/1.1\r\nHost: localhost\r\n{head}\r\n\r\n".encode())
        for piece in pieces:
            time.sleep(0.02)
            sock.sendall(piece)
        return sock.makefile("rb").readline()


@pytest.mark.parametrize("size", [10, 70_000, 300_000])
def test_a_body_comes_in_any_pieces(local: Server, http: urllib3.PoolManager, size: int) -> None:
    content = bytes(number % 251 for number in range(size))
    client = Client(local)
    begun = client.begin({"plain": content, "chunked": content})
    urls = {url.path: url.request.url for url in client.urls(begun.artifact_id)}
    pieces = [content[start : start + size // 5] for start in range(0, size, size // 5)]
    assert b" 200 " in put_in_pieces(local, urls["plain"], f"Content-Length: {size}", pieces)
    wrapped = [b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces]
    assert b" 200 " in put_in_pieces(local, urls["chunked"], "Transfer-Encoding: chunked", [*wrapped, b"0\r\n\r\n"])
    client.commit(begun.artifact_id)
    for signed in client.downloads(begun.artifact_id).values():
        assert http.request("GET", signed.url, retries=False).data == content


def test_a_body_that_breaks_off_is_no_file(local: Server, http: urllib3.PoolManager) -> None:
    client = Client(local)
    begun = client.begin({"f": b"0123456789"})
    (url,) = client.urls(begun.artifact_id)
    with socket.create_connection(("127.0.0.1", local.http_port), 60) as sock:
        target = url.request.url.removeprefix(local.http_url)
        sock.sendall(f"PUT {target} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\n01234".encode())
    until = time.monotonic() + 60
    while "CANCELLED" not in local.output() and time.monotonic() < until:
        time.sleep(0.02)
    assert "WriteFile CANCELLED" in local.output()
    assert len(client.urls(begun.artifact_id, only_missing=True)) == 1
    assert client.send(http, url, b"0123456789") == 200
    client.commit(begun.artifact_id)
