"""Keys of a role, which end after some hours: asked for again before that, by one thread at a time.

What is understood is what AWS's own libraries understand: a token file that a token service changes for keys (web
identity, as pods have it), a container's credentials (pods and tasks), and the metadata service of a machine.
"""

import logging
import math
import os
import re
import threading
import time
from collections.abc import Callable
from datetime import UTC
from functools import partial

import urllib3
from minio.credentials.credentials import Credentials
from minio.credentials.providers import IamAwsProvider, Provider
from mlmd_schemas.errors import Unavailable

from mlmd_artifact_store.s3_retries import Retries

_LOG = logging.getLogger("mlmd.server")
_TOKEN_FILE = "AWS_WEB_IDENTITY_TOKEN_FILE"
_CONTAINER = ("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "AWS_CONTAINER_CREDENTIALS_FULL_URI")
METADATA_SERVICE = "http://169.254.169.254"
_AGAIN_SECONDS = 10.0
"""How long whoever gave no keys is not asked again."""
_EARLY_SECONDS = 1200.0
"""How long before their end keys are replaced, or a third of their time if that is less: longer than what is signed
with them is valid."""
_LAST_SECONDS = 10.0
"""Keys that end sooner are taken for ended."""
_STATUS = re.compile(r"HTTP status code (\d+)")


def named_role(ca_file: str = "") -> Callable[[], Credentials] | None:
    """Return how to ask the role that the environment names, if it does; raises Unavailable when it is called.

    `ca_file` has the authorities that a token service of one's own is trusted by (`AWS_ENDPOINT_URL_STS`).
    """
    if os.environ.get(_TOKEN_FILE):
        service = os.environ.get("AWS_ENDPOINT_URL_STS") or None
        return partial(_asked, _TOKEN_FILE, partial(_provider, ca_file, service))
    for variable in _CONTAINER:
        if os.environ.get(variable):
            return partial(_asked, variable, _provider)
    return None


def machines_role() -> Credentials:
    """Ask the metadata service of the machine; raises ValueError, which says why, when it gives no keys."""
    try:
        return _provider(endpoint=METADATA_SERVICE).retrieve()
    except Exception as error:  # noqa: BLE001 - minio-py raises what urllib3, json and its own parsing raise
        raise ValueError(f"the machine's metadata service gives none: {_reason(error)}") from None


def _asked(variable: str, provider: Callable[[], Provider]) -> Credentials:
    try:
        return provider().retrieve()
    except Exception as error:  # noqa: BLE001 - as above
        # Without its cause, whose text may hold the token.
        raise Unavailable(
            f"artifacts: the role that {variable} names gives no keys for the object store: {_reason(error)}; see that "
            "the role exists, that it may be taken on from here, and that whoever gives its keys can be reached."
        ) from None


def _provider(ca_file: str = "", endpoint: str | None = None) -> Provider:
    http = urllib3.PoolManager(
        timeout=urllib3.Timeout(connect=1, read=5),
        retries=Retries(
            total=2, redirect=False, backoff_factor=0.2, status_forcelist=[500, 502, 503, 504], raise_on_status=False
        ),
        ca_certs=ca_file or None,
    )
    return IamAwsProvider(custom_endpoint=endpoint, http_client=http)


def _reason(error: Exception) -> str:
    if isinstance(error, urllib3.exceptions.HTTPError):
        return "nobody answers"
    for cause in (error, error.__cause__):
        if isinstance(cause, OSError):
            return f"{cause.filename}: {cause.strerror}"
    if status := _STATUS.search(str(error)):
        return f"HTTP {status[1]}"
    return "the answer holds none"


class RoleCredentials(Provider):
    """The keys of a role, held until shortly before they end."""

    def __init__(self, ask: Callable[[], Credentials], clock: Callable[[], float] = time.time) -> None:
        """Take what asks for keys; it raises ValueError or Unavailable."""
        self._ask = ask
        self._clock = clock
        self._lock = threading.Lock()
        self._held: Credentials | None = None
        self._early_seconds = 0.0
        self._refused: ValueError | Unavailable | None = None
        self._quiet_until = 0.0

    def retrieve(self) -> Credentials:
        """Return keys that have some time left; raises what `ask` raises."""
        held = self._held
        if held is None or self._left(held) <= _LAST_SECONDS:
            return self._new()
        if self._left(held) <= self._early_seconds and self._lock.acquire(blocking=False):  # else somebody asks already
            try:
                return self._better(held)
            finally:
                self._lock.release()
        return held

    def _new(self) -> Credentials:
        with self._lock:
            held = self._held
            if held is not None and self._left(held) > _LAST_SECONDS:
                return held  # another thread's, which came first
            if self._refused is not None and self._clock() < self._quiet_until:
                raise self._refused.with_traceback(None)
            return self._ask_anew()

    def _better(self, held: Credentials) -> Credentials:
        if self._clock() < self._quiet_until:
            return held
        try:
            return self._ask_anew()
        except (ValueError, Unavailable) as error:
            _LOG.warning("%s They still have keys for %.0f s.", error, self._left(held))
            return held

    def _ask_anew(self) -> Credentials:
        try:
            fresh = self._ask()
        except (ValueError, Unavailable) as error:
            self._refused, self._quiet_until = error, self._clock() + _AGAIN_SECONDS
            raise
        self._early_seconds = min(_EARLY_SECONDS, self._left(fresh) / 3)
        self._held = fresh
        return fresh

    def _left(self, keys: Credentials) -> float:
        if keys.expiration is None:
            return math.inf
        return keys.expiration.replace(tzinfo=UTC).timestamp() - self._clock()
