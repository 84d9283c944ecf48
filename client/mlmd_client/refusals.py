"""What an object store's refusal means, and how it is mended; told to whoever moves bytes."""

import http.client
import json
import re
import socket
import ssl
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from enum import Enum
from urllib.parse import parse_qs, unquote, urlsplit

from mlmd_schemas.errors import Code
from mlmd_schemas.shown import LONGEST_SHOWN

from mlmd_client.calls import forbids_retries
from mlmd_client.http_connections import Answer
from mlmd_client.transfer_errors import TransferError

MOST_SKEW_SECONDS = 300
_BUSY = frozenset(
    (
        *("SlowDown", "SlowDownRead", "SlowDownWrite", "ServiceUnavailable", "InternalError", "RequestTimeout"),
        *("ServerBusy", "OperationAborted", "TooManyRequests", "IncompleteBody", "ConditionalRequestConflict"),
    )
)
_BUSY_STATUSES = frozenset((408, 425, 429, 500, 502, 503, 504))
_FULL = frozenset(("XMinioStorageFull", "QuotaExceeded", "XMinioAdminBucketQuotaExceeded", "InsufficientCapacity"))
_FINAL = frozenset(("data_loss",))
"""What our server says with a status above 499 though asking again does not change it."""
_BEYOND_END = "InvalidRange"
_WRONG_BYTES = frozenset(("BadDigest", "InvalidDigest", "XAmzContentSHA256Mismatch"))
_CODES = {
    "invalid_argument": Code.INVALID_ARGUMENT,
    "not_found": Code.NOT_FOUND,
    "permission_denied": Code.PERMISSION_DENIED,
    "resource_exhausted": Code.RESOURCE_EXHAUSTED,
    "failed_precondition": Code.FAILED_PRECONDITION,
    "aborted": Code.ABORTED,
    "internal": Code.INTERNAL,
    "unavailable": Code.UNAVAILABLE,
    "data_loss": Code.DATA_LOSS,
    "unauthenticated": Code.UNAUTHENTICATED,
}


_NO_TLS = ("WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE")
"""How OpenSSL names what answers a handshake with something else, up to its version 3.1 and from 3.2 on."""


class Meaning(Enum):
    """What to do about an answer."""

    DONE = "it was as asked"
    BUSY = "ask again, later"
    EXPIRED = "ask again, with a request signed anew"
    OTHER_BYTES = "what came was not what was declared"
    REFUSED = "asking again does not help"


def meaning_of(answer: Answer) -> Meaning:
    """Return what an answer means for whoever asked."""
    if answer.status < 300:
        return Meaning.DONE
    code = code_of(answer.content)
    if code in _FULL or code in _FINAL or answer.status == 507 or forbids_retries(answer.headers):
        return Meaning.REFUSED
    if code in _BUSY or answer.status in _BUSY_STATUSES:
        return Meaning.BUSY
    if code in _WRONG_BYTES:
        return Meaning.OTHER_BYTES
    if answer.status == 403 or code in ("NoSuchUpload", "ExpiredToken", "RequestExpired"):
        return Meaning.EXPIRED
    return Meaning.REFUSED


def code_of(content: bytes) -> str:
    """Return the name of an error in S3's XML or in our server's JSON, "" when there is none."""
    found = re.search(rb"<Code>([^<]{1,100})</Code>", content)
    if found:
        return found[1].decode("utf-8", "replace")
    return _json(content).get("code", "")


def _json(content: bytes) -> dict[str, str]:
    try:
        said = json.loads(content)
    except ValueError:
        return {}
    return {name: str(value) for name, value in said.items()} if isinstance(said, dict) else {}


def refusal(answer: Answer, url: str, path: str) -> TransferError:
    """Return the error for an answer that asking again does not change; it names the cause and the mend."""
    said = _json(answer.content)
    if said.get("code") in _CODES:
        return TransferError(_CODES[said["code"]], said.get("message", ""), answer.headers.get("x-request-id", ""))
    code, store = code_of(answer.content), _address(url)
    shown = code or f"status {answer.status}"
    if code == "NoSuchBucket":
        return TransferError(
            Code.FAILED_PRECONDITION,
            f"{_bucket(answer.content, url, path)} any more; whoever runs it has to make it.",
        )
    if code in _FULL or answer.status == 507:
        return TransferError(
            Code.RESOURCE_EXHAUSTED, f"The object store at {store} is full ({shown}); make room there."
        )
    if answer.status == 403 and (skew := skew_seconds(answer.headers, url)) > MOST_SKEW_SECONDS:
        return TransferError(
            Code.FAILED_PRECONDITION,
            f"The clocks of the server that signs requests and of the object store at {store} are {skew:.0f} s apart "
            f"({shown}); set them by NTP.",
        )
    if answer.status in (401, 403):
        return TransferError(
            Code.FAILED_PRECONDITION,
            f"The object store at {store} does not accept the server's signature for {path!r} ({shown}); see that the "
            "server's access key is valid and may read and write there, and that --artifacts-public-endpoint is its "
            "address.",
        )
    if answer.status == 404:
        return TransferError(Code.NOT_FOUND, f"The object store at {store} has no {path!r} ({shown}).")
    if answer.status == 416 or code == _BEYOND_END:  # ranges are those of the manifest
        return short(path, url)
    if answer.status == 400 and code in _WRONG_BYTES:
        return TransferError(
            Code.INVALID_ARGUMENT, f"The object store at {store} found other bytes in {path!r} ({shown})."
        )
    return TransferError(
        Code.UNAVAILABLE,
        f"The object store at {store} refused {path!r} ({shown}); see that it is an S3 server and look into its log.",
    )


def busy(answer: Answer | None, error: BaseException | None, url: str, path: str, times: int) -> TransferError:
    """Return the error for a store that stayed busy or away, however often it was asked.

    `answer` is the last one that came; `error` is what ended the last attempt where none did.
    """
    if answer is None:
        return TransferError(Code.UNAVAILABLE, _unreachable(error, _address(url), path, times))
    said = _json(answer.content)
    if said.get("code") in _CODES and said.get("message"):  # our server's own words: a full disk, say
        return TransferError(
            Code.UNAVAILABLE,
            f"{said['message']} {path!r} was tried {times} times. Run the same again later: it goes on where it was.",
            answer.headers.get("x-request-id", ""),
        )
    shown = code_of(answer.content) or f"status {answer.status}"
    return TransferError(
        Code.UNAVAILABLE,
        f"The object store at {_address(url)} is busy or ill ({shown}); {path!r} was tried {times} times. Run the same "
        "again later: it goes on where it was.",
    )


def trouble(answer: Answer | None, error: BaseException | None, url: str) -> tuple[str, str]:
    """Return who is busy or away, and in which words why; as `busy`, while there is hope."""
    store = _address(url)
    if answer is not None:
        said = _json(answer.content)
        code = code_of(answer.content)
        return store, said.get("message", "") or f"it is busy or ill ({code or f'status {answer.status}'})."
    if isinstance(error, TimeoutError):
        return store, "it does not answer."
    return store, f"it cannot be reached from here or broke off ({type(error).__name__})."


def _unreachable(error: BaseException | None, store: str, path: str, times: int) -> str:
    """Return why no answer came, and what to do about it."""
    if isinstance(error, ssl.SSLError) and any(sign in str(error) for sign in _NO_TLS):
        return (
            f"What serves bytes at {store} speaks no TLS ({error}); the address that the server tells, by its "
            "--artifacts-public-endpoint, --artifacts-endpoint or --http-address, has to begin with http://."
        )
    if isinstance(error, ssl.SSLError):
        return (
            f"What serves bytes at {store} shows a certificate that is not trusted here, or speaks no TLS ({error}); "
            "name its authority in SSL_CERT_FILE or AWS_CA_BUNDLE, that of the server itself in "
            "`Store(…, tls=Tls(ca=…))`."
        )
    if isinstance(error, socket.gaierror):
        return (
            f"The host of the object store {store} is not known here; the server signs requests for the address of its "
            "--artifacts-public-endpoint, which has to be one that clients reach."
        )
    if isinstance(error, http.client.HTTPException) and not isinstance(error, OSError | http.client.IncompleteRead):
        return (
            f"What answers at {store} speaks no HTTP that can be understood ({error!s:.120}); {path!r} was tried "
            f"{times} times. See that this is the address of an S3 server, and look at what is between here and it."
        )
    if isinstance(error, TimeoutError):
        return (
            f"What serves bytes at {store} does not answer: {path!r} was tried {times} times, and in the end nothing "
            "came or was taken any more. It hangs or is suspended, or the network to it swallows everything; see that "
            "it runs. Run the same again then: it goes on where it was."
        )
    hint = ""
    if isinstance(error, ConnectionResetError) and store.startswith("http://"):
        hint = " (if it speaks TLS, its address has to begin with https://)"
    return (
        f"The object store at {store} cannot be reached from here or broke off ({type(error).__name__}); {path!r} was "
        f"tried {times} times. See that it runs{hint}; run the same again: it goes on where it was."
    )


def short(path: str, url: str) -> TransferError:
    """Return the error for a file that is shorter in the store than its manifest says."""
    return TransferError(
        Code.DATA_LOSS,
        f"The file {path!r} at {_address(url)} is shorter than its manifest says: it was changed in the store. Restore "
        "it from a copy.",
    )


def replaced(path: str, url: str) -> TransferError:
    """Return the error for a file that is another one than was listed or recorded."""
    return TransferError(
        Code.DATA_LOSS,
        f"The file {path!r} at {_address(url)} is no longer the one that was listed or recorded; whoever wrote it has "
        "replaced it. Record the artifact anew, if what is there now is wanted.",
    )


def whole_instead(path: str, url: str) -> TransferError:
    """Return the error for a server that does not understand ranges."""
    return TransferError(Code.UNAVAILABLE, f"{_address(url)} answered a range of {path!r} with the whole of it.")


def is_page(headers: Mapping[str, str]) -> bool:
    """Whether an answer is a page that a server has for whatever is asked, and neither a store's nor our server's.

    They tell the ETag of what they give or take; where something in between takes it away, an object store's own
    headers are left.
    """
    is_html = headers.get("content-type", "").startswith("text/html")
    return is_html and "etag" not in headers and not any(name.startswith("x-amz-") for name in headers)


def no_store(path: str, url: str) -> TransferError:
    """Return the error for a page that is answered to whatever is asked, by a proxy that wants a login, say."""
    return TransferError(
        Code.UNAVAILABLE,
        f"What answers at {_address(url)} does not answer as an object store does ({path!r} was asked for or "
        "sent). The address that the server tells, by its --artifacts-public-endpoint or --artifacts-endpoint, has "
        "to be that of an S3 server.",
    )


def skew_seconds(headers: Mapping[str, str], url: str) -> float:
    """Return how far the store's clock is outside the time in which a signed request is valid; 0 when inside."""
    query = parse_qs(urlsplit(url).query)
    try:
        theirs = parsedate_to_datetime(headers.get("date", "")).timestamp()
        signed = datetime.strptime(query["X-Amz-Date"][0], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC).timestamp()
    except (KeyError, TypeError, ValueError):
        return 0.0
    return abs(theirs - signed)


def _bucket(content: bytes, url: str, path: str) -> str:
    """Say which bucket is not there; where the answer does not name it, it is in the host or in the path."""
    found = re.search(rb"<BucketName>([^<]{1,255})</BucketName>", content)
    if found is None:
        whole = url.partition("?")[0]
        return f"The bucket of {whole[:LONGEST_SHOWN]}{'…' * (len(whole) > LONGEST_SHOWN)} is not there"
    return f"The bucket {found[1].decode('utf-8', 'replace')!r} for {path!r} is not at {_address(url)}"


def _address(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{unquote(parts.netloc)}"
