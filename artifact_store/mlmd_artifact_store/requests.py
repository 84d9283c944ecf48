"""Pages of signed requests: what has to be sent, and what can be fetched."""

import time
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import islice
from urllib.parse import quote

from mlmd_metadata_store.keyset_tokens import key_of_token, long_page_size, token_after
from mlmd_metadata_store.transaction import Transaction
from mlmd_schemas.caller import LOCAL, Caller
from mlmd_schemas.errors import Aborted, InvalidArgument, NotFound
from mlmd_schemas.pb.v1 import artifacts_pb2 as v1

from mlmd_artifact_store.artifacts import Artifacts
from mlmd_artifact_store.blob_store import VALID_SECONDS, Part, SignedRequest, content_md5
from mlmd_artifact_store.commit import under_way
from mlmd_artifact_store.local_watch import carried
from mlmd_artifact_store.manifests import Manifest
from mlmd_artifact_store.proof import Arrivals
from mlmd_artifact_store.upload_rows import (
    PendingFile,
    Upload,
    in_one_part,
    pending_file,
    pending_page,
    put_files,
    unseal_upload,
)

DEFAULT_GRACE_SECONDS = 7 * 86400.0
_AT_ONCE = 16
_FEW = 16
Piece = tuple[PendingFile, int, bytes]
"""A file, the number of its part, 0 for the whole, and the MD5 of that; b"" when a folder knows it by its SHA-256."""


class Requests:
    """Signed requests of one tenant. `http_address` is where the server takes bytes itself, "" when nowhere.

    `grace_seconds` is how long an upload may take before a sweep gives it up.
    """

    def __init__(
        self, artifacts: Artifacts, http_address: str = "", grace_seconds: float = DEFAULT_GRACE_SECONDS
    ) -> None:
        self.artifacts = artifacts
        self.grace_seconds = grace_seconds
        self._http_address = http_address.rstrip("/")

    def upload_page(self, request: v1.ListUploadUrlsRequest, caller: Caller = LOCAL) -> v1.ListUploadUrlsResponse:
        """Return a page of what has to be sent, in the order of paths and parts."""
        count = long_page_size(request.page_size)
        path, part = _position(key_of_token("uploads", request.page_token))

        def body(tx: Transaction) -> tuple[Upload, list[PendingFile]]:
            return under_way(tx, request.artifact_id), pending_page(tx, request.artifact_id, path, count + 2)

        upload, files = self.artifacts.store.database.read(caller, body)
        rest = (piece for piece in pieces_of(files) if piece[0].path != path or piece[1] > part)
        pieces = list(islice(rest, count + 1))  # of files in very many parts no more than are looked at
        page = pieces[:count]
        wanted = self.missing(upload, page, caller) if request.only_missing else page
        more = len(pieces) > count
        last = page[-1] if page else None
        return v1.ListUploadUrlsResponse(
            urls=self.upload_urls(upload, wanted, caller),
            next_page_token=token_after("uploads", f"{last[1]}/{last[0].path}") if more and last else "",
        )

    def missing(self, upload: Upload, pieces: list[Piece], caller: Caller) -> list[Piece]:
        """Return those of the pieces that have not arrived as they are declared."""
        by_file: dict[str, list[Piece]] = {}
        for piece in pieces:
            by_file.setdefault(piece[0].path, []).append(piece)
        arrived = self._arrived(upload, [group[0][0] for group in by_file.values()])
        groups = [group for path, group in by_file.items() if path not in arrived]
        with ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="look") as pool:
            answers = pool.map(carried(lambda group: self._missing_of(upload, group, caller)), groups)
            return [piece for group in answers for piece in group]

    def _arrived(self, upload: Upload, files: list[PendingFile]) -> set[str]:
        """Return the paths of many files that are there, by listing them; few are asked for one by one."""
        if len(files) < _FEW or self.artifacts.blobs.presigner is None:
            return set()
        ordered = sorted(files, key=lambda file: file.path.encode())
        there = Arrivals(self.artifacts.blobs, upload.key_prefix, ordered[0].path[:-1])
        return {file.path for file in ordered if there.as_declared(file)}

    def _missing_of(self, upload: Upload, pieces: list[Piece], caller: Caller) -> list[Piece]:
        file, key, blobs = pieces[0][0], upload.key_prefix + pieces[0][0].path, self.artifacts.blobs
        if all((file.md5s or (b"",))[max(1, number) - 1 :][:1] == (md5,) for _, number, md5 in pieces):
            try:
                blob = blobs.stat(key)
                if (blob.size_bytes, blob.etag) == (file.size_bytes, file.etag):
                    return []
                if not file.in_parts and blobs.presigner is not None:  # a request for the whole would replace nothing
                    return [(self._in_one_part(upload, file, caller), 1, md5) for _, _, md5 in pieces]
            except NotFound:
                pass
        if not file.parts_name:
            return pieces
        try:
            numbers = [number for _, number, _ in pieces]
            there = set(blobs.parts(key, file.parts_name, min(numbers), max(numbers)))
        except NotFound:  # made to other bytes, or swept by the store: begin again
            self.artifacts.forget_parts(upload, file, caller)
            return [(replace(file, parts_name=""), number, md5) for _, number, md5 in pieces]
        return [piece for piece in pieces if Part(piece[1], piece[2].hex(), file.span(piece[1])[1]) not in there]

    def _in_one_part(self, upload: Upload, file: PendingFile, caller: Caller) -> PendingFile:
        """Return a file as one that is sent in a single part from now on; raises Aborted when it is told otherwise."""
        parted = in_one_part(file)

        def body(tx: Transaction) -> None:
            under_way(tx, upload.artifact_id, locked=True)
            if pending_file(tx, upload.artifact_id, file.path) not in (file, parted):
                raise Aborted(f"The file {file.path[:80]!r} was told otherwise at this moment; ask again.")
            put_files(tx, upload.artifact_id, [parted])
            unseal_upload(tx, upload.artifact_id)

        self.artifacts.store.database.write(caller, body, repeatable=True)
        return parted

    def upload_urls(self, upload: Upload, pieces: Iterable[Piece], caller: Caller) -> Iterator[v1.UploadUrl]:
        """Yield the requests that send these pieces."""
        names: dict[str, str] = {}
        for file, number, md5 in pieces:
            if number and file.path not in names:
                names[file.path] = self.artifacts.parts_name(upload, file, caller)
            offset, size_bytes = file.span(max(1, number))
            signed = self._put(upload, file, number, md5, names.get(file.path, ""))
            yield v1.UploadUrl(
                path=file.path, part_number=number, offset_bytes=offset, size_bytes=size_bytes, request=signed
            )

    def _put(self, upload: Upload, file: PendingFile, number: int, md5: bytes, name: str) -> v1.SignedRequest:
        key = upload.key_prefix + file.path
        signer = self.artifacts.blobs.presigner
        if signer is None:
            url = self._own_url(upload.artifact_id, file.path, number)
            return _message(SignedRequest("PUT", url, content_md5(md5) if md5 else {}), expires=False)
        self.artifacts.ownership.check()
        if number:
            return _message(signer.put_part(key, name, number, md5, VALID_SECONDS))
        return _message(signer.put(key, md5, VALID_SECONDS))

    def download_page(self, request: v1.ListDownloadUrlsRequest, caller: Caller = LOCAL) -> v1.ListDownloadUrlsResponse:
        """Return a page of files with a request to fetch each; raises FailedPrecondition when they are elsewhere."""
        count = long_page_size(request.page_size)
        after = key_of_token("files", request.page_token)
        manifest, files = self.artifacts.files(request.artifact_id, request.prefix, after, count, caller)
        signed = self.fetch_requests(manifest, [file.path for file in files])
        urls = [v1.DownloadUrl(file=file.message(), request=it) for file, it in zip(files, signed, strict=True)]
        token = token_after("files", files[-1].path) if len(files) == count else ""
        return v1.ListDownloadUrlsResponse(urls=urls, next_page_token=token)

    def fetch_requests(self, manifest: Manifest, paths: Sequence[str]) -> list[v1.SignedRequest]:
        """Return a request to fetch each of these files; raises FailedPrecondition when they may not be read."""
        if not paths:
            return []
        reader, key = self.artifacts.blob_of(manifest, paths[0])
        prefix, signer = key[: len(key) - len(paths[0])], reader.presigner
        if signer is None or manifest.is_purged:  # a signed address has the name that was purged
            urls = (self._own_url(manifest.artifact_id, path) for path in paths)
            return [_message(SignedRequest("GET", url), expires=False) for url in urls]
        return [_message(signer.get(prefix + path, VALID_SECONDS)) for path in paths]

    def _own_url(self, artifact_id: int, path: str, number: int = 0) -> str:
        if not self._http_address:
            return ""
        query = f"?part={number}" if number else ""
        return f"{self._http_address}/artifacts/{artifact_id}/files/{quote(path, safe='/~')}{query}"


def file_page(artifacts: Artifacts, request: v1.ListFilesRequest, caller: Caller = LOCAL) -> v1.ListFilesResponse:
    """Return a page of an artifact's files by path."""
    count = long_page_size(request.page_size)
    after = key_of_token("files", request.page_token)
    _, files = artifacts.files(request.artifact_id, request.prefix, after, count, caller)
    token = token_after("files", files[-1].path) if len(files) == count else ""
    return v1.ListFilesResponse(files=[file.message() for file in files], next_page_token=token)


def pieces_of(files: Iterable[PendingFile]) -> Iterator[Piece]:
    """Yield what is sent of files whose MD5s are declared."""
    for file in files:
        for number, md5 in enumerate(file.md5s or [b""] * (not file.is_open), 1):
            yield file, number if file.in_parts else 0, md5


def _position(key: str) -> tuple[str, int]:
    """Return path and part of a token's key."""
    part, _, path = key.partition("/")
    if key and not (part.isascii() and part.isdecimal() and path):
        raise InvalidArgument("page_token: not one that this list gave; take next_page_token of the page before.")
    return path, int(part) if part else -1


def _message(request: SignedRequest, *, expires: bool = True) -> v1.SignedRequest:
    expires_ms = int((time.time() + VALID_SECONDS) * 1000) if expires else 0
    return v1.SignedRequest(
        method=request.method, url=request.url, headers=dict(request.headers), expires_ms=expires_ms
    )
