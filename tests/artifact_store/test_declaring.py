"""Files that are told while others are being sent, on a folder and on S3, on SQLite and MariaDB."""

import hashlib
import io
from typing import Any

import pytest
import urllib3
from mlmd_artifact_store.declaring import declare_files, sign_parts
from mlmd_artifact_store.requests import Requests
from mlmd_metadata_store.store import Store
from mlmd_schemas.caller import LOCAL
from mlmd_schemas.errors import FailedPrecondition, InvalidArgument, NotFound
from mlmd_schemas.pb.v1 import artifacts_pb2 as v1

from tests.artifact_store.conformance.suite import md5
from tests.artifact_store.uploads import FIVE, begin, upload_file, upload_urls

SMALL = {"a": b"first", "b/ü c": b"second", "empty": b""}
BIG = b"1" * FIVE + b"2" * FIVE + b"tail"
PARTS = [BIG[:FIVE], BIG[FIVE : 2 * FIVE], BIG[2 * FIVE :]]


def open_file(content: bytes = BIG) -> v1.UploadFile:
    """Say a file in parts without its digests."""
    return v1.UploadFile(path="big", size_bytes=len(content), part_size_bytes=FIVE)


def send(requests: Requests, artifact_id: int, urls: list[v1.UploadUrl], contents: dict[str, bytes]) -> None:
    """Send pieces by HTTP where requests are signed, else through the server's own function."""
    with urllib3.PoolManager() as http:
        for url in urls:
            piece = contents[url.path][url.offset_bytes : url.offset_bytes + url.size_bytes]
            if url.request.url:
                headers = dict(url.request.headers)
                answer = http.request("PUT", url.request.url, body=piece, headers=headers, retries=False)
                assert answer.status == 200
            else:
                source = io.BytesIO(piece)
                requests.artifacts.put_file(artifact_id, url.path, source, url.part_number, md5=md5(piece))


def declared(requests: Requests, artifact_id: int, *files: v1.UploadFile, **fields: Any) -> list[v1.UploadUrl]:
    """Declare files and return the requests."""
    request = v1.DeclareFilesRequest(artifact_id=artifact_id, files=files, **fields)
    return list(declare_files(requests, request, LOCAL).urls)


def signed(requests: Requests, artifact_id: int, numbers: list[int], **fields: Any) -> list[v1.UploadUrl]:
    """Return the requests for parts of the big file."""
    parts = [v1.PartDigest(part_number=number, md5=md5(PARTS[number - 1])) for number in numbers]
    request = v1.SignPartsRequest(artifact_id=artifact_id, path="big", parts=parts, **fields)
    return list(sign_parts(requests, request, LOCAL).urls)


def begun(store: Store, requests: Requests, **fields: Any) -> int:
    """Begin an upload that knows no file yet."""
    return requests.artifacts.begin_upload(begin(store, more_files=True, **fields)).artifact_id


def test_the_first_files_without_digests_are_named(store: Store, requests: Requests) -> None:
    artifact_id = begun(store, requests)
    files = [v1.UploadFile(path=f"big{number}", size_bytes=len(BIG), part_size_bytes=FIVE) for number in range(7)]
    declared(requests, artifact_id, *files)
    shown = ", ".join(f"'big{number}'" for number in range(5))
    with pytest.raises(FailedPrecondition, match=rf"digests of 7 files are not told yet \({shown}\); declare"):
        requests.artifacts.commit_upload(artifact_id)


def test_files_are_told_while_others_are_sent(store: Store, requests: Requests) -> None:
    artifact_id = begun(store, requests)
    with pytest.raises(FailedPrecondition, match="none were declared"):
        requests.artifacts.commit_upload(artifact_id)
    assert declared(requests, artifact_id, open_file()) == []
    small = declared(requests, artifact_id, *(upload_file(path, content) for path, content in SMALL.items()))
    assert [url.path for url in small] == list(SMALL)
    send(requests, artifact_id, small, SMALL)
    send(requests, artifact_id, signed(requests, artifact_id, [2, 1]), {"big": BIG})
    with pytest.raises(FailedPrecondition, match="digests of 1 file are not told yet"):
        requests.artifacts.commit_upload(artifact_id)
    send(requests, artifact_id, signed(requests, artifact_id, [3]), {"big": BIG})
    assert declared(requests, artifact_id, upload_file("big", BIG, FIVE), unsigned=True) == []
    manifest = requests.artifacts.commit_upload(artifact_id).manifest
    assert (manifest.file_count, manifest.size_bytes) == (4, len(BIG) + 11)
    assert b"".join(requests.artifacts.read(artifact_id, "big")) == BIG
    again = begin(store, upload_file("big", BIG, FIVE), *(upload_file(p, c) for p, c in SMALL.items()), reuse=True)
    assert requests.artifacts.begin_upload(again).artifact_id == artifact_id
    by_digest = begin(store, more_files=True, reuse=True, digest=manifest.digest)
    assert requests.artifacts.begin_upload(by_digest).artifact_id == artifact_id
    other = begin(store, more_files=True, reuse=True, digest=bytes(32))
    assert not requests.artifacts.begin_upload(other).reused


def test_what_has_arrived_is_left_out(store: Store, requests: Requests) -> None:
    artifact_id = begun(store, requests)
    files = [upload_file(f"f{number:02}", bytes([number])) for number in range(20)]
    contents = {file.path: bytes([number]) for number, file in enumerate(files)}
    send(requests, artifact_id, declared(requests, artifact_id, *files)[5:], contents)
    declared(requests, artifact_id, open_file())
    send(requests, artifact_id, signed(requests, artifact_id, [3, 1]), {"big": BIG})

    declared(requests, artifact_id, open_file())
    left = declared(requests, artifact_id, *files, only_missing=True)
    assert [url.path for url in left] == [file.path for file in files[:5]]
    assert [url.part_number for url in signed(requests, artifact_id, [1, 2, 3], only_missing=True)] == [2]
    other = v1.PartDigest(part_number=3, md5=md5(b"fail"))
    request = v1.SignPartsRequest(artifact_id=artifact_id, path="big", parts=[other], only_missing=True)
    assert [url.part_number for url in sign_parts(requests, request, LOCAL).urls] == [3]


def test_an_upload_goes_on_after_its_parts_became_one(store: Store, requests: Requests) -> None:
    artifact_id = begun(store, requests)
    declared(requests, artifact_id, open_file())
    send(requests, artifact_id, signed(requests, artifact_id, [1, 2, 3]), {"big": BIG})
    declared(requests, artifact_id, upload_file("big", BIG, FIVE), upload_file("late", b"late"))
    with pytest.raises(FailedPrecondition, match="'late' has not arrived"):
        requests.artifacts.commit_upload(artifact_id)

    declared(requests, artifact_id, open_file())
    assert signed(requests, artifact_id, [1, 2, 3], only_missing=True) == []
    changed = BIG[:-4] + b"fail"
    parts = [v1.PartDigest(part_number=number, md5=md5(changed[(number - 1) * FIVE :][:FIVE])) for number in (1, 2, 3)]
    request = v1.SignPartsRequest(artifact_id=artifact_id, path="big", parts=parts, only_missing=True)
    urls = list(sign_parts(requests, request, LOCAL).urls)
    assert [url.part_number for url in urls] == [1, 2, 3]
    send(requests, artifact_id, urls, {"big": changed})
    send(requests, artifact_id, declared(requests, artifact_id, upload_file("late", b"late")), {"late": b"late"})
    declared(requests, artifact_id, upload_file("big", changed, FIVE), unsigned=True)
    requests.artifacts.commit_upload(artifact_id)
    assert b"".join(requests.artifacts.read(artifact_id, "big")) == changed


def test_a_file_that_changed_is_told_anew(store: Store, requests: Requests) -> None:
    artifact_id = requests.artifacts.begin_upload(begin(store, upload_file("a", b"before"))).artifact_id
    urls = declared(requests, artifact_id, upload_file("a", b"afterwards"))
    send(requests, artifact_id, urls, {"a": b"afterwards"})
    manifest = requests.artifacts.commit_upload(artifact_id).manifest
    assert manifest.size_bytes == 10
    assert b"".join(requests.artifacts.read(artifact_id, "a")) == b"afterwards"
    with pytest.raises(FailedPrecondition, match="cannot change"):
        declared(requests, artifact_id, upload_file("a", b"before"))


def test_unchanged_files_are_copied(store: Store, requests: Requests) -> None:
    first = begun(store, requests)
    send(requests, first, declared(requests, first, *(upload_file(p, c) for p, c in SMALL.items())), SMALL)
    requests.artifacts.commit_upload(first)
    second = begun(store, requests)
    files = [upload_file("moved", SMALL["a"]), upload_file("new", b"new")]
    urls = declared(requests, second, *files, unchanged_from_artifact_id=first)
    assert [url.path for url in urls] == ["new"]
    send(requests, second, urls, {"new": b"new"})
    requests.artifacts.commit_upload(second)
    assert b"".join(requests.artifacts.read(second, "moved")) == b"first"
    _, (moved, _) = requests.artifacts.files(second)
    assert moved.etag == md5(b"first").hex()


def test_what_cannot_be(store: Store, requests: Requests) -> None:
    with pytest.raises(InvalidArgument, match="digest: 0 bytes"):
        begun(store, requests, reuse=True)
    artifact_id = begun(store, requests)
    for files, why in [
        ([], "0 were given"),
        ([upload_file(str(number), b"") for number in range(1001)], "1001 were given"),
        ([upload_file("../a", b"")], "segment"),
        ([v1.UploadFile(path="a", size_bytes=3)], "sha256"),
        ([v1.UploadFile(path="a", size_bytes=3, part_size_bytes=FIVE, sha256=hashlib.sha256().digest())], "md5s"),
    ]:
        with pytest.raises(InvalidArgument, match=why):
            declared(requests, artifact_id, *files)
    declared(requests, artifact_id, open_file(), upload_file("whole", b""))
    for path, number, digest, why in [
        ("big", 0, md5(b""), "part_number: -1"),
        ("big", 4, md5(b""), "parts 1 to 3"),
        ("big", 1, b"short", "MD5 has 16"),
        ("whole", 1, md5(b""), "whole"),
    ]:
        part = v1.PartDigest(part_number=number, md5=digest)
        with pytest.raises(InvalidArgument, match=why):
            sign_parts(requests, v1.SignPartsRequest(artifact_id=artifact_id, path=path, parts=[part]), LOCAL)
    with pytest.raises(NotFound):
        sign_parts(requests, v1.SignPartsRequest(artifact_id=artifact_id, path="none", parts=[v1.PartDigest()]), LOCAL)
    if requests.artifacts.blobs.presigner is None:  # a folder calculates it
        assert requests.artifacts.put_file(artifact_id, "big", io.BytesIO(PARTS[0]), 1).etag == md5(PARTS[0]).hex()
        return
    with pytest.raises(InvalidArgument, match="send it along"):
        requests.artifacts.put_file(artifact_id, "big", io.BytesIO(PARTS[0]), 1)


def test_paths_are_checked_together_at_the_end(store: Store, requests: Requests) -> None:
    artifact_id = begun(store, requests)
    for path in ("a", "a/b"):
        send(requests, artifact_id, declared(requests, artifact_id, upload_file(path, b"")), {path: b""})
        if requests.artifacts.blobs.presigner is None:
            break  # a folder cannot even take the second
    if requests.artifacts.blobs.presigner is None:
        declared(requests, artifact_id, upload_file("a/b", b""))
    with pytest.raises(InvalidArgument, match="folder of others"):
        requests.artifacts.commit_upload(artifact_id)


def test_files_told_between_proof_and_commit_break_the_seal(store: Store, requests: Requests) -> None:
    artifact_id = begun(store, requests)
    send(requests, artifact_id, declared(requests, artifact_id, upload_file("a", b"1")), {"a": b"1"})
    from mlmd_artifact_store.commit import commit, seal
    from mlmd_schemas.errors import Aborted

    sealed = store.database.write(LOCAL, lambda tx: seal(tx, artifact_id, marks_copies=False))
    assert sealed is not None
    assert upload_urls(requests, artifact_id)[0].path == "a"
    declared(requests, artifact_id, upload_file("a", b"2"))
    with pytest.raises(Aborted, match="told of other files"):
        store.database.write(LOCAL, lambda tx: commit(tx, sealed, []))


def test_a_folder_knows_files_by_their_sha256(store: Store, requests: Requests) -> None:
    artifact_id = begun(store, requests)
    contents = {"a": b"first", "b": b"second"}
    files = [upload_file(path, content, md5s=[]) for path, content in contents.items()]
    if requests.artifacts.blobs.presigner is not None:
        with pytest.raises(InvalidArgument, match=r"md5s: 0 MD5s given; send 1 of 16 bytes"):
            declared(requests, artifact_id, *files)
        return
    assert [url.path for url in declared(requests, artifact_id, *files)] == ["a", "b"]
    assert [url.path for url in upload_urls(requests, artifact_id)] == ["a", "b"]
    for path, content in contents.items():
        requests.artifacts.put_file(artifact_id, path, io.BytesIO(content))
    with pytest.raises(InvalidArgument, match="sha256: the bytes that came have the SHA-256"):
        requests.artifacts.put_file(artifact_id, "b", io.BytesIO(b"other!"))
    upload, _ = requests.artifacts.pending(artifact_id, "b")
    requests.artifacts.blobs.put(f"{upload.key_prefix}b", io.BytesIO(b"other!"), 6)
    with pytest.raises(FailedPrecondition, match=r"1 of 2 files is not as declared: 'b' has other bytes"):
        requests.artifacts.commit_upload(artifact_id)
    requests.artifacts.put_file(artifact_id, "b", io.BytesIO(b"second"))
    done = requests.artifacts.commit_upload(artifact_id)
    assert done.manifest.file_count == 2
    assert b"".join(requests.artifacts.read(artifact_id, "b")) == b"second"
