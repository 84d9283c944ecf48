"""Copies within a bucket by requests of our own: one that fails may say 200, and what it says then has to be read."""

from collections.abc import Callable, Iterator, Mapping
from urllib.parse import quote

from mlmd_schemas.errors import NotFound

from mlmd_artifact_store.blob_store import LARGEST_PART_BYTES, Blob, Part, part_count
from mlmd_artifact_store.s3_errors import Taken
from mlmd_artifact_store.s3_parts import S3Parts
from mlmd_artifact_store.s3_requests import S3Requests, tag

PIECE_BYTES = 1 << 30
"""How much of a larger blob is copied at a time: little enough that no server takes longer than we wait."""


class S3Copies:
    """Copies of one bucket; keys are whole keys."""

    def __init__(self, requests: S3Requests, parts: S3Parts, bucket: str) -> None:
        self._requests = requests
        self._parts = parts
        self._bucket = bucket

    def copy(self, source: str, target: str, blob: Blob, media_type: str, check: Callable[[Blob], object]) -> str:
        """Copy a blob; return the ETag of the copy, "" when the store does not say it.

        `check` is called with the blob before a copy of several requests gets its name.
        """
        if blob.size_bytes <= LARGEST_PART_BYTES:
            return self._ask("CopyObjectResult", source, target, {}, self._from(source))
        upload = self._parts.begin(target, media_type)
        try:
            made = list(self._pieces(source, target, upload, blob.size_bytes, blob.etag))
            check(blob)  # Ceph 16 does not hear for a part that the source has to have an ETag
            return self._parts.complete(target, upload, made)
        except BaseException:
            self._parts.abort(target, upload)
            raise

    def _pieces(self, source: str, target: str, upload: str, size_bytes: int, etag: str) -> Iterator[Part]:
        # Ceph 16 decodes the name of a part's source twice, and dies of one that it cannot decode the second
        # time. So it is encoded twice first; to others that is the name of something else, whose ETag is not this.
        names = [quote(source), source] if "%" in source else [source]
        for number in range(1, part_count(size_bytes, PIECE_BYTES) + 1):
            start = (number - 1) * PIECE_BYTES
            end = min(start + PIECE_BYTES, size_bytes)
            query = {"partNumber": str(number), "uploadId": upload}
            same = {"x-amz-copy-source-range": f"bytes={start}-{end - 1}", "x-amz-copy-source-if-match": etag}
            try:
                made = self._ask("CopyPartResult", source, target, query, self._from(names[0]) | same)
            except (NotFound, Taken):
                if len(names) == 1:
                    raise
                del names[0]
                made = self._ask("CopyPartResult", source, target, query, self._from(names[0]) | same)
            yield Part(number, made, end - start)

    def _from(self, source: str) -> dict[str, str]:
        return {"x-amz-copy-source": quote(f"/{self._bucket}/{source}")}

    def _ask(self, name: str, source: str, target: str, query: Mapping[str, str], headers: Mapping[str, str]) -> str:
        _, body = self._requests.send(source, self._requests.signed("PUT", target, query, headers), again=True)
        made = tag(self._requests.expected(name, body), "ETag").strip('"')
        if not made:
            raise self._requests.no_s3()
        return made
