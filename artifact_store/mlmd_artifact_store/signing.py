"""AWS's Signature Version 4 in the query of a URL, with headers signed along.

minio-py's own presigner signs the host alone; here `Content-MD5` is signed too, so that whoever holds the URL can
store the declared bytes and no others.
"""

import hashlib
import hmac
import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from urllib.parse import quote

_ALGORITHM = "AWS4-HMAC-SHA256"
LONGEST_SECONDS = 7 * 24 * 3600


@dataclass(frozen=True, slots=True)
class SigningKeys:
    """Credentials as the signature needs them."""

    access_key: str
    secret_key: str
    session_token: str = ""


def presigned_url(
    method: str,
    address: str,
    path: str,
    query: Mapping[str, str],
    headers: Mapping[str, str],
    keys: SigningKeys,
    region: str,
    expires_seconds: int,
    now: float,
) -> str:
    """Return a URL that lets its holder make one request until it expires.

    Thousands are made at a time, so what they have in common is calculated once.

    `address` is scheme and host; `path` is not yet encoded; `headers` are signed along with the host, so the holder has
    to send them as they are. `now` is in seconds since the epoch.
    """
    stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(now))
    scope = f"{stamp[:8]}/{region}/s3/aws4_request"
    signed = {"host": address.split("://", 1)[1]} | {name.lower(): value.strip() for name, value in headers.items()}
    names = ";".join(sorted(signed))
    parameters = dict(query) | {
        "X-Amz-Algorithm": _ALGORITHM,
        "X-Amz-Credential": f"{keys.access_key}/{scope}",
        "X-Amz-Date": stamp,
        "X-Amz-Expires": str(min(expires_seconds, LONGEST_SECONDS)),
        "X-Amz-SignedHeaders": names,
    }
    if keys.session_token:
        parameters["X-Amz-Security-Token"] = keys.session_token
    encoded_path = quote(path, safe="/~")
    encoded_query = "&".join(sorted(f"{_encoded(name)}={_encoded(value)}" for name, value in parameters.items()))
    lines = "".join(f"{name}:{signed[name]}\n" for name in sorted(signed))
    request = f"{method}\n{encoded_path}\n{encoded_query}\n{lines}\n{names}\nUNSIGNED-PAYLOAD"
    to_sign = f"{_ALGORITHM}\n{stamp}\n{scope}\n{hashlib.sha256(request.encode()).hexdigest()}"
    signature = hmac.digest(_signing_key(keys.secret_key, scope), to_sign.encode(), "sha256").hex()
    return f"{address}{encoded_path}?{encoded_query}&X-Amz-Signature={signature}"


@lru_cache(maxsize=16)
def _signing_key(secret: str, scope: str) -> bytes:
    key = f"AWS4{secret}".encode()
    for part in scope.split("/"):
        key = hmac.digest(key, part.encode(), "sha256")
    return key


@lru_cache(maxsize=256)
def _encoded(text: str) -> str:
    return quote(text, safe="~")
