"""Requests that are signed by us: those that carry bytes, those about parts, and those that others will send."""

import re
import time
from collections.abc import Callable, Iterable, Mapping
from html import unescape
from itertools import chain

import urllib3
from minio.credentials.providers import Provider
from mlmd_schemas.errors import StoreError

from mlmd_artifact_store.blob_store import SignedRequest, content_md5
from mlmd_artifact_store.s3_errors import Refusal, Whereabouts
from mlmd_artifact_store.s3_settings import S3Settings
from mlmd_artifact_store.signing import SigningKeys, presigned_url

_AT_ONCE_SECONDS = 900
_LONGEST_ERROR_BYTES = 64 * 1024
_ERROR = re.compile(rb"\s*(<\?xml[^>]*>)?\s*<Error[\s>]")
"""How an answer begins that is an error; one that says 200 may have been kept alive by blanks before."""


class S3Requests:
    """Signs requests for a bucket and sends them; minio-py's public interface does not reach what they do."""

    def __init__(
        self,
        settings: S3Settings,
        provider: Provider,
        http: urllib3.PoolManager,
        where: Whereabouts,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._settings = settings
        self._provider = provider
        self._http = http
        self._where = where
        self._clock = clock

    def keys(self) -> SigningKeys:
        """Return the keys of this moment; raises FailedPrecondition without any, Unavailable when a role gives none."""
        found = self._provider.retrieve()
        return SigningKeys(found.access_key, found.secret_key, found.session_token or "")

    def signed(
        self,
        method: str,
        key: str,
        query: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        expires_seconds: int = _AT_ONCE_SECONDS,
        endpoint: str = "",
    ) -> SignedRequest:
        """Return a signed request on a key of the bucket; `endpoint` is ours unless another is given."""
        address, path = self._place(endpoint or self._settings.endpoint, key)
        headers = headers or {}
        region, now = self._settings.region, self._clock()
        url = presigned_url(method, address, path, query or {}, headers, self.keys(), region, expires_seconds, now)
        return SignedRequest(method, url, headers)

    def _place(self, endpoint: str, key: str) -> tuple[str, str]:
        if self._settings.uses_paths:
            return endpoint, f"/{self._settings.bucket}/{key}"
        scheme, host = endpoint.split("://", 1)
        return f"{scheme}://{self._settings.bucket}.{host}", f"/{key}"

    def send(
        self,
        key: str,
        request: SignedRequest,
        body: bytes | Iterable[bytes] = b"",
        size_bytes: int | None = None,
        *,
        again: bool = False,
    ) -> tuple[Mapping[str, str], bytes]:
        """Send a request and return headers and body of the answer; raises what the refusal means.

        One that may be sent `again` is, when the store is busy or breaks off.
        """
        headers = dict(request.headers)
        headers["Content-Length"] = str(len(body) if isinstance(body, bytes) else size_bytes)
        if not isinstance(body, bytes):
            chunks = iter(body)
            first = next(chunks, b"")  # what is wrong with it at once is found out before anything is sent
            body = chain((first,), chunks) if first else b""
        with self._where.explained(key):
            answer = self._http.request(
                request.method,
                request.url,
                body=body,
                headers=headers,
                retries=None if again else False,
                redirect=False,
            )
        content: bytes = answer.data
        if answer.status >= 300 or _ERROR.match(content):  # completing parts says 200 and then that it failed
            raise self._where.error(refusal_of(answer.status, answer.headers, content), key)
        return answer.headers, content

    def expected(self, name: str, body: bytes) -> bytes:
        """Return an answer that is what was asked for; what is taken for an empty list would be acted upon."""
        if f"</{name}>".encode() not in body:
            raise self.no_s3()
        return body

    def no_s3(self) -> StoreError:
        """Return the error for an answer that is none of an S3 server."""
        return self._where.no_s3()


class S3Presigner:
    """Requests on a bucket for others to send, at the address where they see it."""

    def __init__(
        self,
        requests: S3Requests,
        endpoint: str,
        qualified: Callable[[str], str],
        conditions: Callable[[], Mapping[str, str]],
    ) -> None:
        """Take the address that others see (scheme, host and port), and what makes a whole key of one below the prefix.

        `conditions` returns the headers under which the bucket takes an object only where there is none, none where it
        knows no such condition.
        """
        self._requests = requests
        self._conditions = conditions
        self._endpoint = endpoint
        self._qualified = qualified

    def _signed(
        self, method: str, key: str, query: Mapping[str, str], headers: Mapping[str, str], expires_seconds: int
    ) -> SignedRequest:
        return self._requests.signed(method, self._qualified(key), query, headers, expires_seconds, self._endpoint)

    def put(self, key: str, md5: bytes, expires_seconds: int) -> SignedRequest:
        """Sign a PUT of the whole blob with its Content-MD5, that replaces nothing where the store can."""
        return self._signed("PUT", key, {}, {**content_md5(md5), **self._conditions()}, expires_seconds)

    def put_part(self, key: str, upload: str, number: int, md5: bytes, expires_seconds: int) -> SignedRequest:
        """Sign a PUT of one part with its Content-MD5."""
        query = {"partNumber": str(number), "uploadId": upload}
        return self._signed("PUT", key, query, content_md5(md5), expires_seconds)

    def get(self, key: str, expires_seconds: int) -> SignedRequest:
        """Sign a GET."""
        return self._signed("GET", key, {}, {}, expires_seconds)


def refusal_of(status: int, headers: Mapping[str, str], body: bytes) -> Refusal:
    """Return what an answer that is an error says."""
    told = body[:_LONGEST_ERROR_BYTES]
    return Refusal(status, tag(told, "Code"), headers.get("date"), tag(told, "Message"))


def tag(body: bytes, name: str) -> str:
    """Return the text of the first element of that name in an answer's XML, "" when there is none."""
    found = re.search(rf"<{name}>([^<]*)</{name}>", body.decode("utf-8", "replace"))
    return unescape(found[1]) if found else ""
