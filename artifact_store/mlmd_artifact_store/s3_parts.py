"""Multipart uploads by requests of our own, because minio-py's are not public."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime

from mlmd_schemas.errors import NotFound, Unavailable

from mlmd_artifact_store.blob_store import MOST_PARTS, Part, content_md5
from mlmd_artifact_store.s3_bodies import Body
from mlmd_artifact_store.s3_requests import S3Requests, tag

_LARGEST_PAGE = 1000


class S3Parts:
    """Multipart uploads of one bucket; keys are whole keys."""

    def __init__(self, requests: S3Requests) -> None:
        self._requests = requests

    def _send(
        self, method: str, key: str, query: Mapping[str, str], body: bytes | Body = b"", md5: bytes | None = None
    ) -> tuple[Mapping[str, str], bytes]:
        """Send a request about an upload; that it is not there has several names among servers."""
        request = self._requests.signed(method, key, query, content_md5(md5) if md5 is not None else {})
        try:
            return self._requests.send(key, request, body, body.size_bytes if isinstance(body, Body) else None)
        except NotFound as error:
            raise NotFound(
                f"upload: nothing is being made of parts for {key!r} under that name; begin again."
            ) from error

    def begin(self, key: str, media_type: str) -> str:
        """Return a new upload's id."""
        headers = {"Content-Type": media_type or "application/octet-stream"}
        _, body = self._requests.send(key, self._requests.signed("POST", key, {"uploads": ""}, headers))
        upload = tag(body, "UploadId")
        if not upload:
            raise self._requests.no_s3()
        return upload

    def put(self, key: str, upload: str, number: int, body: Body, md5: bytes | None) -> Part:
        """Send one part; returns it as the store has it."""
        query = {"partNumber": str(number), "uploadId": upload}
        headers, _ = self._send("PUT", key, query, body, md5)
        return Part(number, headers.get("etag", "").strip('"'), body.size_bytes)

    def list(self, key: str, upload: str, first: int = 1, last: int = MOST_PARTS) -> Sequence[Part]:
        """Return the parts of these numbers, over as many pages as there are; of few of them by one request."""
        parts: list[Part] = []
        marker = str(first - 1)
        while True:
            size = str(min(last - int(marker), _LARGEST_PAGE))
            query = {"uploadId": upload, "part-number-marker": marker, "max-parts": size}
            body = self._requests.expected("ListPartsResult", self._send("GET", key, query)[1])
            for piece in body.split(b"<Part>")[1:]:
                etag = tag(piece, "ETag").strip('"')
                parts.append(Part(int(tag(piece, "PartNumber")), etag, int(tag(piece, "Size"))))
            marker = tag(body, "NextPartNumberMarker")
            if tag(body, "IsTruncated") != "true" or not marker or int(marker) >= last:
                return [part for part in parts if first <= part.number <= last]

    def complete(self, key: str, upload: str, parts: Sequence[Part]) -> str:
        """Make the object of its parts and return its ETag, "" when the store does not say it (Ceph)."""
        listed = "".join(
            f'<Part><PartNumber>{part.number}</PartNumber><ETag>"{part.etag}"</ETag></Part>' for part in parts
        )
        document = f"<CompleteMultipartUpload>{listed}</CompleteMultipartUpload>".encode()
        try:
            _, body = self._send("POST", key, {"uploadId": upload}, document)
        except Unavailable:
            self.list(key, upload, 1, 1)  # some servers say "internal error" of an upload that is not there
            raise
        return tag(self._requests.expected("CompleteMultipartUploadResult", body), "ETag").strip('"')

    def begun(self, prefix: str, before_ms: int) -> Iterator[tuple[str, str]]:
        """Yield key and upload of what was begun before a time, over as many pages as there are."""
        query = {"uploads": "", "prefix": prefix}
        while True:
            _, body = self._requests.send("", self._requests.signed("GET", "", query))
            self._requests.expected("ListMultipartUploadsResult", body)
            for piece in body.split(b"<Upload>")[1:]:
                key, since = tag(piece, "Key"), tag(piece, "Initiated")
                if key.startswith(prefix) and datetime.fromisoformat(since).timestamp() * 1000 < before_ms:
                    yield key, tag(piece, "UploadId")
            query |= {"key-marker": tag(body, "NextKeyMarker"), "upload-id-marker": tag(body, "NextUploadIdMarker")}
            if tag(body, "IsTruncated") != "true" or not query["key-marker"]:
                return

    def abort(self, key: str, upload: str) -> None:
        """Forget the upload and its parts."""
        try:
            self._send("DELETE", key, {"uploadId": upload})
        except NotFound:
            return
