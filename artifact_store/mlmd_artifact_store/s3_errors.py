"""What an S3 server's refusal means and how it is mended."""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Any
from xml.etree import ElementTree

import urllib3
from minio.error import InvalidResponseError, S3Error, ServerError
from mlmd_schemas.errors import (
    NO_RETRY,
    Aborted,
    FailedPrecondition,
    InvalidArgument,
    NotFound,
    ResourceExhausted,
    StoreError,
    Unavailable,
    Unimplemented,
)

MOST_SKEW_SECONDS = 300
_LONGEST_MESSAGE = 300
_CREDENTIALS = ("InvalidAccessKeyId", "SignatureDoesNotMatch", "InvalidToken", "ExpiredToken", "TokenRefreshRequired")
_BUSY = (
    *("SlowDown", "SlowDownRead", "SlowDownWrite", "ServiceUnavailable", "InternalError", "RequestTimeout"),
    *("OperationAborted", "ServerBusy", "TooManyRequests"),
)
_FULL = ("XMinioStorageFull", "QuotaExceeded", "XMinioAdminBucketQuotaExceeded", "InsufficientCapacity")
_WRONG_BYTES = ("BadDigest", "InvalidDigest", "XAmzContentSHA256Mismatch", "IncompleteBody", "EntityTooLarge")
_WRONG_PARTS = ("InvalidPart", "InvalidPartOrder", "EntityTooSmall")
_AWAY = (429, 500, 502, 503, 504)
_EOF = "EOF"
"""In OpenSSL's words for a handshake that broke off, as when the store is started anew."""
_TAKEN = ("PreconditionFailed", "ConditionalRequestConflict")
_WRONG_REGION = (
    *("AuthorizationHeaderMalformed", "AuthorizationQueryParametersError", "IllegalLocationConstraintException"),
    *("PermanentRedirect", "InvalidRegion", "TemporaryRedirect", "Redirect"),
)


class Taken(Aborted):
    """There is a blob already where there was to be none."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """An answer of the server that is an error. `date` is its clock, if it told, `message` its own sentence."""

    status: int
    code: str
    date: str | None = None
    message: str = ""


@dataclass(frozen=True, slots=True)
class Whereabouts:
    """What messages name."""

    endpoint: str
    bucket: str
    clock: Callable[[], float] = time.time
    virtual_host: str = ""
    """The bucket's own host, where requests go to that."""

    def error(self, refusal: Refusal, key: str) -> StoreError:
        """Return our error for a refusal."""
        code = refusal.code
        if code in ("NoSuchKey", "NoSuchVersion"):  # a 404 without a reason is what something in between says
            return NotFound(f"There is no blob {key!r} in the bucket {self.bucket!r}.")
        if code == "NoSuchUpload":
            return NotFound(f"upload: nothing is being made of parts for {key!r} under that name; begin again.")
        if code in _WRONG_BYTES:
            return InvalidArgument(
                f"md5: the bytes that came for {key!r} are not those declared ({code}); the file changed or was "
                "damaged on its way, send it again."
            )
        if code in _WRONG_PARTS:
            return InvalidArgument(f"parts: a part of {key!r} is missing, too small or other than said ({code}).")
        if code in _TAKEN or refusal.status == 412:
            return Taken(f"The blob {key!r} was written by somebody else at this moment; try again.")
        if code == "NotImplemented" or refusal.status == 501:
            return Unimplemented(f"The object store at {self.endpoint} does not know what was asked of it ({code}).")
        if code in _FULL or refusal.status == 507:
            return ResourceExhausted(f"The object store at {self.endpoint} is full ({code}); make room there.")
        if code in _BUSY or refusal.status >= 500 or refusal.status == 429:
            return Unavailable(
                f"The object store at {self.endpoint} is busy or ill ({code or refusal.status}); try again."
            )
        return self._misconfigured(refusal)

    def _misconfigured(self, refusal: Refusal) -> StoreError:
        code = refusal.code
        if code == "NoSuchBucket":
            return FailedPrecondition(
                f"artifacts: there is no bucket {self.bucket!r} at {self.endpoint}; make it, or name another."
            )
        skew = self._skew(refusal.date)
        if code == "RequestTimeTooSkewed" or (refusal.status == 403 and skew > MOST_SKEW_SECONDS):
            return FailedPrecondition(
                f"artifacts: the clocks of this server and of the object store at {self.endpoint} are "
                f"{skew:.0f} s apart; set them by NTP."
            )
        if code in _CREDENTIALS:
            return FailedPrecondition(
                f"artifacts: the object store at {self.endpoint} does not accept the access key and secret key "
                f"({code}); set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY to those of a user there."
            )
        if code in _WRONG_REGION or 300 <= refusal.status < 400:
            return FailedPrecondition(
                f"artifacts: the bucket {self.bucket!r} is in another region or at another endpoint "
                f"({code or refusal.status}); set "
                "AWS_REGION and the endpoint to the bucket's."
            )
        if refusal.status in (401, 403):
            return FailedPrecondition(
                f"artifacts: the object store at {self.endpoint} does not let our user do this in the bucket "
                f"{self.bucket!r} ({code or refusal.status}); grant it reading, writing, listing and deleting there."
            )
        reason = repr(refusal.message[:_LONGEST_MESSAGE]) if refusal.message else "no reason given"
        return Unavailable(
            f"The object store at {self.endpoint} refused a request ({code or refusal.status}: {reason}); see that it "
            "is an S3 server and look into its log."
        )

    def _skew(self, date: str | None) -> float:
        try:
            return abs(parsedate_to_datetime(date or "").timestamp() - self.clock())
        except (TypeError, ValueError):
            return 0.0

    @contextmanager
    def explained(self, key: str) -> Iterator[None]:
        """Turn errors of minio-py and of the network within the block into ours."""
        try:
            yield
        except S3Error as error:
            response: Any = error.response
            date = response.headers.get("date")
            raise self.error(Refusal(response.status, error.code or "", date, error.message or ""), key) from error
        except ServerError as error:
            raise self.error(Refusal(error.status_code, ""), key) from error
        except InvalidResponseError as error:
            raise self._page(getattr(error, "_code", 0), key) from error
        except (ElementTree.ParseError, ValueError) as error:  # minio-py has no error of its own for this
            raise self.no_s3() from error
        except urllib3.exceptions.HTTPError as error:
            raise self._unreachable(error) from error

    def no_s3(self) -> Unavailable:
        """Return our error for an answer that is none of an S3 server; asking again does not change it."""
        return Unavailable(f"{self.endpoint} does not answer as an S3 server does; check the endpoint.", NO_RETRY)

    def _page(self, status: int, key: str) -> StoreError:
        """Return our error for an answer that is no XML: a proxy may have it for a store that is away."""
        return self.error(Refusal(status, ""), key) if status in _AWAY else self.no_s3()

    def _unreachable(self, error: urllib3.exceptions.HTTPError) -> StoreError:
        reason = getattr(error, "reason", error)
        if isinstance(reason, urllib3.exceptions.SSLError):
            return Unavailable(
                f"The object store at {self.endpoint} shows a certificate that is not trusted, or speaks no TLS; give "
                "its authority with --artifacts-ca, or use http://.",
                None if _EOF in str(reason) else NO_RETRY,
            )
        if isinstance(reason, urllib3.exceptions.NameResolutionError) and self.virtual_host:
            return Unavailable(
                f"The host {self.virtual_host!r}, by which the bucket is addressed at {self.endpoint}, is not known; "
                "check the endpoint, or have the bucket addressed by the path, with --artifacts-addressing path or "
                "?s3ForcePathStyle=true in its URI."
            )
        if isinstance(reason, urllib3.exceptions.NameResolutionError):
            return Unavailable(f"The host of the object store {self.endpoint} is not known; check the endpoint.")
        hint = " (if it speaks TLS, its address has to begin with https://)" if self._may_speak_tls(reason) else ""
        return Unavailable(
            f"The object store at {self.endpoint} cannot be reached or broke off; check that it runs{hint} and try "
            "again."
        )

    def _may_speak_tls(self, reason: Exception) -> bool:
        """Whether what was asked without TLS hung up without an answer."""
        is_hung_up = isinstance(reason, urllib3.exceptions.ProtocolError) and isinstance(
            reason.args[-1], ConnectionResetError
        )
        return is_hung_up and self.endpoint.startswith("http://")


def is_s3(headers: Mapping[str, str]) -> bool:
    """Whether an answer that brings bytes is an object store's, and no page that a server has for whatever is asked.

    All tell the ETag; where something in between takes it away, their own headers are left.
    """
    return "etag" in headers or any(name.lower().startswith("x-amz-") for name in headers)
